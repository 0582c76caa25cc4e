//! What the documentation promises in strong words is on a list, with the tests that would fail if it were not so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::docs::said_in;
use crate::sources::Sources;

const PACKAGES: [&str; 3] = ["engineio", "socketio", "auth"];

/// The words that make a promise, wherever they stand.
const STRONG: [&str; 5] = ["always", "guarantee", "guaranteed", "guarantees", "never"];

/// The one that says of an item as a rule when something is the case, and elsewhere that it is not.
const OF_PAGES: [&str; 1] = ["cannot"];

/// The one that makes a promise in the sentences of what is read as a book. Its tables have tests of their own.
const OF_BOOKS: [&str; 1] = ["every"];

/// What stands in the list's chapters.
struct List {
    bounds: Vec<Vec<String>>,
    promises: Vec<Vec<String>>,
}

fn list() -> List {
    let text = fs::read_to_string(crate::root().join("conformance-tests/spec/CLAIMS.md")).unwrap();
    let chapter = |title: &str| {
        let (_, rest) = text.split_once(&format!("\n## {title}\n")).unwrap();
        rows(rest.split("\n## ").next().unwrap())
    };
    List {
        bounds: chapter("Bounds"),
        promises: chapter("Promises"),
    }
}

/// The rows of a table, without its head.
fn rows(chapter: &str) -> Vec<Vec<String>> {
    let lines = chapter.lines().filter_map(|line| line.strip_prefix("| "));
    lines
        .skip(1)
        .map(|line| {
            let cells = line.trim_end_matches(" |").split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// The names of tests in a cell.
fn tests_in(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").map(|name| name.trim_matches('`'))
}

/// The text as one line, without code, and without the conditions of errors and panics.
fn prose(text: &str) -> String {
    let mut shown = Vec::new();
    let (mut is_code, mut is_condition) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("# ") {
            is_condition = matches!(line, "# Errors" | "# Panics");
        }
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !is_condition {
            shown.extend(line.split_whitespace());
        }
    }
    shown.join(" ")
}

/// The text without the rows of its tables.
fn sentences(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("| "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn is_for_tests(file: &Path) -> bool {
    let words = ["tests", "testing", "models", "fuzzing"];
    let mut parts = file.iter().map(|part| Path::new(part).with_extension(""));
    parts.any(|part| words.iter().any(|word| part.as_os_str() == *word))
}

/// What is read as a book, by file: its text, and its sentences alone.
fn books() -> BTreeMap<String, [String; 2]> {
    let root = crate::root();
    let mut names: Vec<String> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "conformance-tests/README.md",
    ]
    .map(str::to_owned)
    .into();
    names.extend(PACKAGES.map(|package| format!("{package}/README.md")));
    for guide in ["socketio/src/guide", "auth/src/guide"] {
        for entry in fs::read_dir(root.join(guide)).unwrap() {
            let name = entry.unwrap().file_name();
            names.push(format!("{guide}/{}", name.to_str().unwrap()));
        }
    }
    let texts = |name: &String| {
        let text = fs::read_to_string(root.join(name)).unwrap();
        [prose(&text), prose(&sentences(&text))]
    };
    names
        .iter()
        .map(|name| (name.clone(), texts(name)))
        .collect()
}

/// What is said of modules, and of what is public in them, by file.
fn reference() -> BTreeMap<String, [String; 2]> {
    let mut found: BTreeMap<String, [String; 2]> = BTreeMap::new();
    for package in PACKAGES {
        let source = crate::root().join(package).join("src");
        for file in crate::files(&source) {
            let place = file.strip_prefix(&source).unwrap();
            if is_for_tests(place) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let said: String = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("//!"))
                .map(|line| format!("{line}\n"))
                .collect();
            let name = format!("{package}/src/{}", place.display());
            found.insert(name, [prose(&said), String::new()]);
        }
        for module in Sources::of(package).modules {
            if module.is_hidden || is_for_tests(&module.file) {
                continue;
            }
            let name = format!("{package}/src/{}", module.file.display());
            let [_, text] = found.entry(name).or_default();
            for said in said_in(&module.items) {
                text.push_str(" ¶ ");
                text.push_str(&prose(&said));
            }
        }
    }
    found
}

/// Where one of the words stands by itself.
fn places(text: &str, words: &[&str]) -> Vec<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '`');
    let mut found = Vec::new();
    for word in words {
        for (start, _) in lower.match_indices(word) {
            let end = start + word.len();
            let before = lower[..start].chars().next_back();
            let behind = lower[end..].chars().next();
            if !before.is_some_and(is_part) && !behind.is_some_and(is_part) {
                found.push((start, end));
            }
        }
    }
    found
}

/// The places in a text that no quotation covers.
fn uncovered<'a>(
    text: &'a str,
    words: &'a [&'a str],
    quotations: &[&str],
) -> impl Iterator<Item = &'a str> {
    let quoted: Vec<(usize, usize)> = quotations
        .iter()
        .flat_map(|words| text.match_indices(words))
        .map(|(start, words)| (start, start + words.len()))
        .collect();
    places(text, words)
        .into_iter()
        .filter(move |(start, end)| !quoted.iter().any(|(from, to)| from <= start && end <= to))
        .map(|(start, end)| {
            let mut from = start.saturating_sub(90);
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            let mut to = (end + 90).min(text.len());
            while !text.is_char_boundary(to) {
                to += 1;
            }
            &text[from..to]
        })
}

#[test]
fn each_strong_word_of_the_docs_is_on_the_list_and_the_list_quotes_nothing_else() {
    let list = list();
    let (books, reference) = (books(), reference());
    let of_pages = [&STRONG[..], &OF_PAGES].concat();
    // Who wants to may list more.
    let more = [
        "at most", "each", "ever", "however", "neither", "no", "nobody", "nothing", "whatever",
    ];
    let any = [&of_pages[..], &OF_BOOKS, &more].concat();
    // Each text with the words that are looked for in it.
    let mut texts: Vec<(&String, &String, &[&str])> = Vec::new();
    for (file, [text, sentences]) in &books {
        texts.extend([(file, text, &of_pages[..]), (file, sentences, &OF_BOOKS)]);
    }
    for (file, [of_module, of_items]) in &reference {
        texts.extend([(file, of_module, &of_pages[..]), (file, of_items, &STRONG)]);
    }
    let rows = list.promises.iter();
    let quoted: Vec<(&str, &str)> = rows.map(|row| (&*row[0], &*row[1])).collect();
    let mut wrong = Vec::new();
    for (file, words) in &quoted {
        let mut here = texts.iter().filter(|(name, ..)| name == file);
        if !here.any(|(_, text, _)| text.contains(words)) || places(words, &any).is_empty() {
            wrong.push(format!("{file} says nothing strong so: {words}"));
        }
    }
    for (file, text, strong) in texts {
        let here = quoted.iter().filter(|(name, _)| name == file);
        let quotations: Vec<&str> = here.map(|(_, words)| *words).collect();
        for words in uncovered(text, strong, &quotations) {
            wrong.push(format!("{file} says, and CLAIMS.md has not: {words}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_test_that_the_list_names_is_one() {
    let list = list();
    let tests = all_tests();
    let named = list.promises.iter().map(|row| &row[2]);
    let named = named.chain(list.bounds.iter().map(|row| &row[1]));
    let missing: Vec<&str> = named
        .flat_map(|cell| tests_in(cell))
        .filter(|name| !tests.contains(*name))
        .collect();
    assert_eq!(missing, [""; 0]);
    assert!(list.promises.len() > 50, "{}", list.promises.len());
}

#[test]
fn each_bound_of_the_guide_is_on_the_list_with_its_test() {
    let guide = fs::read_to_string(crate::root().join("socketio/src/guide/limits.md")).unwrap();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| [`"));
    let said: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let list = list();
    let listed: Vec<&str> = list
        .bounds
        .iter()
        .map(|row| row[0].trim_matches('`'))
        .collect();
    assert_eq!(listed, said);
}

/// The names of all functions that are tests.
fn all_tests() -> BTreeSet<String> {
    let root = crate::root();
    let mut found = BTreeSet::new();
    for folder in [
        "engineio",
        "socketio",
        "auth",
        "conformance-tests",
        "benches",
        "fuzz",
    ] {
        for place in [
            "src",
            "tests",
            "examples",
            "schedules/src",
            "schedules/tests",
        ] {
            for file in crate::files(&root.join(folder).join(place)) {
                let text = fs::read_to_string(file).unwrap();
                let mut is_test = false;
                for line in text.lines().map(str::trim) {
                    is_test |= line.starts_with("#[") && line.contains("test");
                    let declared = line.strip_prefix("async ").unwrap_or(line);
                    if let Some(rest) = declared.strip_prefix("fn ") {
                        let name = rest.split(['(', '<']).next().unwrap_or_default();
                        if is_test {
                            found.insert(name.to_owned());
                        }
                        is_test = false;
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_check_sees_a_strong_word_outside_what_is_quoted() {
    let text = prose(
        "It never\nends. An ever, a `never`, never_mind.\n```\nnever\n```\nIt is always. Never!",
    );
    let missing = |quotations: &[&str]| uncovered(&text, &STRONG, quotations).count();
    assert_eq!(missing(&[]), 3);
    assert_eq!(missing(&["It never ends"]), 2);
    assert_eq!(missing(&["It never ends", "It is always. Never!"]), 0);
}
