//! What the published package holds.

use std::fs;
use std::path::{Path, PathBuf};

/// The keys of the mint, which are published on purpose: behind the feature `testing`, and said to be no secret.
const PUBLISHED: &str = "src/testing/pem";

/// Left out by `exclude` in Cargo.toml.
const EXCLUDED: &str = "tests/pem";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

#[test]
fn no_private_key_is_in_the_package_but_those_of_the_mint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(root, &mut found);
    assert!(found.len() > 100, "looked in the wrong place");
    for path in found {
        let name = path.strip_prefix(root).expect("it was found below");
        let is_pem = name.extension().is_some_and(|extension| extension == "pem");
        let text = fs::read_to_string(&path).unwrap_or_default();
        if is_pem && text.contains("PRIVATE KEY") {
            assert!(
                name.starts_with(PUBLISHED) || name.starts_with(EXCLUDED),
                "{}",
                name.display()
            );
        }
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest of this crate");
    let is_excluded = manifest.contains(&format!("\"/{EXCLUDED}\""));
    // Cargo writes another manifest into the package, where the folder is gone.
    assert!(is_excluded || !root.join(EXCLUDED).exists());
}
