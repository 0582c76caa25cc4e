//! What is published: each crate stands alone, outside the workspace, with its first page and its licences.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name and folder.
const CRATES: [(&str, &str); 4] = [
    ("engineio", "engineio"),
    ("socketio-auth", "auth"),
    ("socketio", "socketio"),
    ("socketio-redis", "socketio/redis"),
];

/// A program that uses what the first pages show.
const PROGRAM: &str = r#"
use socketio::{Ack, SocketIo};
use socketio_auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, auth_fn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = auth_fn(|_: AuthContext, key: Credential| async move {
        match key.token() {
            "key-1" => Outcome::Accept(Grant::new("ann", "user-1")),
            _ => Outcome::Reject(Code::InvalidToken.into()),
        }
    });
    let io = SocketIo::builder().authenticate(InHandshake::new(keys)).build()?;
    io.namespace("/").on("whoami", |socket, ()| async move { Ack(*socket.data()) }).open()?;
    let _ = engineio::Config::new();
    Ok(())
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder that outlives the test, so that the next one does not build everything again.
fn ours() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages")
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg(subcommand).arg("--offline");
    cargo.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    cargo
}

/// Packages the crates and unpacks them; the folder of each.
fn unpacked() -> Vec<(&'static str, PathBuf)> {
    let packed = ours().join("packed");
    let mut package = cargo("package");
    package
        .current_dir(root())
        .args(["--no-verify", "--allow-dirty", "--target-dir"])
        .arg(&packed);
    for (name, _) in CRATES {
        package.args(["-p", name]);
    }
    run(&mut package);
    let folder = ours().join("unpacked");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("our own folder");
    let version = env!("CARGO_PKG_VERSION");
    let unpack = |(name, _)| {
        let package = packed.join(format!("package/{name}-{version}.crate"));
        run(Command::new("tar")
            .arg("-xmzf")
            .arg(package)
            .arg("-C")
            .arg(&folder));
        (name, folder.join(format!("{name}-{version}")))
    };
    CRATES.into_iter().map(unpack).collect()
}

#[test]
fn each_package_is_whole_and_builds_outside_the_workspace() {
    let packages = unpacked();
    for (name, folder) in &packages {
        let read = |file: &str| {
            fs::read_to_string(folder.join(file))
                .unwrap_or_else(|error| panic!("{name}: {file}: {error}"))
        };
        assert!(
            read("README.md").starts_with(&format!("# {name}\n")),
            "{name}"
        );
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let of_all = fs::read_to_string(root().join(licence)).expect("at the top");
            assert_eq!(read(licence), of_all, "{name}: {licence}");
        }
        let manifest = read("Cargo.toml");
        for said in [
            "description = ",
            "keywords = ",
            "categories = ",
            "license = ",
            "rust-version = ",
            "repository = ",
            "all-features = true",
            "docsrs",
        ] {
            assert!(manifest.contains(said), "{name} does not say {said}");
        }
        assert!(
            !manifest.contains("path = \".."),
            "{name} depends on what is not in it"
        );
    }

    let user = ours().join("user");
    fs::create_dir_all(user.join("src")).expect("our own folder");
    let mut manifest = "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n".to_owned();
    for (name, _) in &packages {
        manifest.push_str(&format!("{name} = \"{}\"\n", env!("CARGO_PKG_VERSION")));
    }
    manifest.push_str("\n[patch.crates-io]\n");
    for (name, folder) in &packages {
        manifest.push_str(&format!("{name} = {{ path = {folder:?} }}\n"));
    }
    // The versions that everything else is tested with, which are at hand without the network as well.
    fs::copy(root().join("Cargo.lock"), user.join("Cargo.lock")).expect("at the top");
    fs::write(user.join("Cargo.toml"), manifest).expect("our own folder");
    fs::write(user.join("src/main.rs"), PROGRAM).expect("our own folder");
    let mut build = cargo("run");
    build
        .current_dir(&user)
        .arg("--target-dir")
        .arg(ours().join("built"));
    run(&mut build);
}
