//! What the guides show of clients is read by the interpreter that it is for, as rustdoc compiles what they show of servers.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where guides are.
const FOLDERS: [&str; 3] = [".", "auth/src/guide", "socketio/src/guide"];

/// What an interpreter is asked to read, and not to run.
struct Language {
    fence: &'static str,
    command: &'static [&'static str],
}

const JAVASCRIPT: Language = Language {
    fence: "js",
    command: &["node", "--input-type=module", "--check", "-"],
};

const PYTHON: Language = Language {
    fence: "python",
    command: &[
        "python3",
        "-c",
        "import ast, sys; compile(sys.stdin.read(), 'snippet', 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)",
    ],
};

#[test]
fn what_the_guides_show_of_browsers_is_javascript() {
    JAVASCRIPT.reads_every_snippet(5);
    let proof = root().join("auth/src/jwt/proof.js");
    assert!(JAVASCRIPT.reads(&fs::read_to_string(proof).unwrap()));
}

#[test]
fn what_the_guides_show_of_python_is_python() {
    PYTHON.reads_every_snippet(4);
}

#[test]
fn what_cannot_be_read_is_noticed() {
    assert!(!JAVASCRIPT.reads("const a = = 1;"));
    assert!(!PYTHON.reads("def f(:"));
}

/// The crate `socketio` has no adapter for Redis, so its guide cannot have compiled what it shows of them: the page that does has it too.
#[test]
fn what_the_guides_show_of_redis_is_compiled_elsewhere() {
    let page = fs::read_to_string(root().join("socketio/redis/README.md")).unwrap();
    let compiled: String = snippets(&page, "rust,no_run").collect();
    let mut count = 0;
    for guide in guides() {
        let text = fs::read_to_string(&guide).unwrap();
        let of_redis = |shown: &&str| shown.contains("adapter") || shown.contains("Emitter");
        let shown = snippets(&text, "text").filter(of_redis);
        for snippet in shown {
            assert!(
                compiled.contains(snippet),
                "{}:\n{snippet}",
                guide.display()
            );
            count += 1;
        }
    }
    assert!(count >= 2, "{count}");
}

/// Who embeds `socketio` has no dependency by the name of `engineio`: what the guide and the pages show has it from there.
#[test]
fn what_the_guide_shows_needs_no_crate_beside_socketio_for_the_engine() {
    let mut from_there = 0;
    for page in guides().filter(|page| !page.starts_with(root().join("auth"))) {
        let text = fs::read_to_string(&page).unwrap();
        for fence in ["rust", "rust,no_run"] {
            for line in snippets(&text, fence).flat_map(str::lines) {
                assert!(
                    !line.starts_with("use engineio"),
                    "{}: {line}",
                    page.display()
                );
                from_there += usize::from(line.starts_with("use socketio::engineio::"));
            }
        }
    }
    assert!(from_there >= 2, "{from_there}");
}

impl Language {
    /// There are at least so many, or the search for them is broken.
    fn reads_every_snippet(&self, expected_count: usize) {
        let mut count = 0;
        for guide in guides() {
            let text = fs::read_to_string(&guide).unwrap();
            for snippet in snippets(&text, self.fence) {
                assert!(self.reads(snippet), "{}:\n{snippet}", guide.display());
                count += 1;
            }
        }
        assert!(count >= expected_count, "{count} of {}", self.fence);
    }

    fn reads(&self, source: &str) -> bool {
        let (program, arguments) = self.command.split_first().unwrap();
        let mut running = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = running.stdin.take().unwrap();
        input.write_all(source.as_bytes()).unwrap();
        drop(input);
        running.wait().unwrap().success()
    }
}

/// The blocks of one language, without their fences.
fn snippets<'t>(text: &'t str, fence: &str) -> impl Iterator<Item = &'t str> {
    let opening = format!("```{fence}\n");
    let blocks: Vec<_> = text.split(opening.as_str()).skip(1).collect();
    blocks
        .into_iter()
        .map(|block| block.split_once("```").expect("a block ends").0)
}

fn guides() -> impl Iterator<Item = PathBuf> {
    let folders = FOLDERS.iter().map(|folder| root().join(folder));
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
