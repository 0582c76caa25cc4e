//! What a guide calls by the name of a type and of something in it is there. Blocks of code are compiled by rustdoc, and links
//! resolved; what stands between backquotes in a sentence or a table is read by nobody but people, who type it in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use syn::visit::{self, Visit};

use crate::sources::Sources;

/// Where the types come from, and where guides and comments are.
const PACKAGES: [&str; 5] = [
    "engineio",
    "auth",
    "socketio",
    "socketio/redis",
    "conformance-tests",
];

/// Folders of guides beside the comments of the packages.
const GUIDES: [&str; 8] = [
    ".",
    "auth",
    "auth/src/guide",
    "conformance-tests",
    "engineio",
    "socketio",
    "socketio/redis",
    "socketio/src/guide",
];

/// Types that are not found here with what they have: others', and those that a macro writes.
const UNREAD: [&str; 5] = [
    "Duration",
    "Expiry",
    "InHandshake",
    "Router",
    "TwoRoundTrip",
];

/// What tells of earlier versions, and those whose tables have another library's names on the left.
const HISTORY: &str = "CHANGELOG.md";
const COMPARISONS: &str = "coming_from";

/// What a derive gives a type.
const DERIVED: [&str; 2] = ["clone", "default"];

/// The types, with what can be named behind two colons. Types of one name are one.
#[derive(Default)]
struct Types {
    members: BTreeMap<String, BTreeSet<String>>,
    /// Which type another name stands for.
    aliases: BTreeMap<String, String>,
    /// Also what only the package itself can use.
    has_private: bool,
}

impl Types {
    fn of(packages: &[&str], has_private: bool) -> Self {
        let mut types = Self {
            has_private,
            ..Self::default()
        };
        for package in packages {
            types.read(&Sources::of(package));
        }
        types
    }

    fn shows(&self, visibility: &syn::Visibility) -> bool {
        self.has_private || matches!(visibility, syn::Visibility::Public(_))
    }

    fn read(&mut self, sources: &Sources) {
        for item in sources.modules.iter().flat_map(|module| &module.items) {
            self.visit_item(item);
        }
    }

    fn members(&mut self, name: &syn::Ident) -> &mut BTreeSet<String> {
        self.members.entry(name.to_string()).or_default()
    }

    /// What is named in a text between backquotes, and is not there.
    fn missing_in(&self, text: &str) -> Vec<String> {
        let named = spans(text).into_iter().flat_map(names_in);
        let is_missing = |(of, member): &(String, String)| {
            if UNREAD.contains(&of.as_str()) || DERIVED.contains(&member.as_str()) {
                return false;
            }
            let has = |of: &String| self.members.get(of).is_some_and(|has| has.contains(member));
            !has(of) && !self.aliases.get(of).is_some_and(has)
        };
        let missing = named.filter(is_missing);
        missing
            .map(|(of, member)| format!("{of}::{member}"))
            .collect()
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let fields = item.fields.iter().filter(|field| self.shows(&field.vis));
        let fields: Vec<String> = fields.filter_map(name_of).collect();
        self.members(&item.ident).extend(fields);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        let variants = item
            .variants
            .iter()
            .map(|variant| variant.ident.to_string());
        let variants: Vec<String> = variants.collect();
        self.members(&item.ident).extend(variants);
        for variant in &item.variants {
            let fields: Vec<String> = variant.fields.iter().filter_map(name_of).collect();
            self.members(&variant.ident).extend(fields);
        }
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        if let syn::Type::Path(of) = &*item.ty
            && let Some(of) = of.path.segments.last()
        {
            let alias = (item.ident.to_string(), of.ident.to_string());
            self.aliases.extend([alias]);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let members = item.items.iter().filter_map(|item| match item {
            syn::TraitItem::Fn(function) => Some(function.sig.ident.to_string()),
            syn::TraitItem::Type(of) => Some(of.ident.to_string()),
            syn::TraitItem::Const(value) => Some(value.ident.to_string()),
            _ => None,
        });
        let members: Vec<String> = members.collect();
        self.members(&item.ident).extend(members);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let syn::Type::Path(of) = &*item.self_ty else {
            return;
        };
        let Some(of) = of.path.segments.last() else {
            return;
        };
        // What a trait gives is as public as the trait.
        let is_of_trait = item.trait_.is_some();
        let is_public = |visibility: &syn::Visibility| is_of_trait || self.shows(visibility);
        let members = item.items.iter().filter_map(|item| match item {
            syn::ImplItem::Fn(function) if is_public(&function.vis) => {
                Some(function.sig.ident.to_string())
            }
            syn::ImplItem::Const(value) if is_public(&value.vis) => Some(value.ident.to_string()),
            _ => None,
        });
        let members: Vec<String> = members.collect();
        self.members(&of.ident).extend(members);
        visit::visit_item_impl(self, item);
    }
}

fn name_of(field: &syn::Field) -> Option<String> {
    field.ident.as_ref().map(ToString::to_string)
}

/// What stands between backquotes, outside of blocks of code.
fn spans(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Each `Type::name`, also with a generic argument between.
fn names_in(span: &str) -> Vec<(String, String)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in span.match_indices("::") {
        let mut before = &span[..at];
        if let Some(generic) = before.strip_suffix('>') {
            // `Type::<A>::name` and `Type<A>::name`
            let Some((of, _)) = generic.rsplit_once('<') else {
                continue;
            };
            before = of.trim_end_matches(':');
        }
        let begin = before.rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
        let behind = &span[at + 2..];
        let end = behind.find(|c| !is_part(c)).unwrap_or(behind.len());
        let (of, member) = (&before[begin..], &behind[..end]);
        if of.starts_with(|c: char| c.is_ascii_uppercase()) && !member.is_empty() && of != "Self" {
            found.push((of.to_owned(), member.to_owned()));
        }
    }
    found
}

/// The guides.
fn guides() -> Vec<(PathBuf, String)> {
    let folders = GUIDES.iter().map(|folder| crate::root().join(folder));
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let paths = paths.filter(|path| !path.ends_with(HISTORY));
    let guides = paths.map(|file| {
        let text = fs::read_to_string(&file).unwrap();
        let is_comparison = file
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(COMPARISONS);
        let text = match is_comparison {
            true => without_first_cells(&text),
            false => text,
        };
        (file, text)
    });
    guides.collect()
}

/// A table's first column is what somebody else calls it.
fn without_first_cells(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("| ") {
        Some(row) => row.split_once(" | ").map_or("", |(_, rest)| rest),
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the sources say in documentation.
fn comments() -> Vec<(PathBuf, String)> {
    let sources = PACKAGES.iter().flat_map(|package| {
        let files = crate::files(&crate::root().join(package).join("src"));
        files.into_iter().map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let said = text.lines().filter_map(|line| {
                let line = line.trim_start();
                line.strip_prefix("///")
                    .or_else(|| line.strip_prefix("//!"))
            });
            let said: Vec<&str> = said.collect();
            (file, said.join("\n"))
        })
    });
    sources.collect()
}

fn missing_from(types: &Types, texts: &[(PathBuf, String)]) -> Vec<String> {
    let missing = texts.iter().flat_map(|(file, text)| {
        let missing = types.missing_in(text).into_iter();
        missing.map(move |name| format!("{}: {name}", file.display()))
    });
    missing.collect()
}

#[test]
fn what_the_guides_name_is_there() {
    let (inside, outside) = (Types::of(&PACKAGES, true), Types::of(&PACKAGES, false));
    let (for_us, guides): (Vec<_>, Vec<_>) = guides()
        .into_iter()
        .partition(|(file, _)| file.ends_with("ARCHITECTURE.md"));
    assert_eq!(missing_from(&outside, &guides), [""; 0]);
    assert_eq!(missing_from(&inside, &for_us), [""; 0]);
    assert_eq!(missing_from(&inside, &comments()), [""; 0]);
    let spans = guides.iter().flat_map(|(_, text)| spans(text));
    let count = spans.flat_map(names_in).count();
    assert!(count > 50, "or they are not found any more: {count}");
}

#[test]
fn a_name_that_is_not_there_is_found() {
    let mut types = Types::default();
    types.read(&Sources::of_text(
        "pub enum Transport { WebSocket }
         pub struct Handshake { pub peer: u8 }
         impl Handshake { pub fn url(&self) {} fn keep() {} }
         pub struct Guarded<P>(P); impl<P> Guarded<P> { pub fn new() {} }
         pub type Door = Guarded<u8>;
         pub trait Listener { fn accept(); }",
    ));
    for there in [
        "`Transport::WebSocket` and `Handshake::url`, `Guarded::<X>::new(jwt)`, `Listener::accept`",
        "`Door::new`, `Handshake::peer`, `Transport::default()`, `std::thread::spawn`, `a::b`, Not::Code",
        "```rust\nTransport::Websocket\n```",
    ] {
        assert_eq!(types.missing_in(there), [""; 0], "{there}");
    }
    for (text, name) in [
        ("`[Transport::Websocket]`", "Transport::Websocket"),
        (
            "| `Handshake::new(jwt).sources(Query(\"token\"))` |",
            "Handshake::new",
        ),
        ("`Handshake::keep`", "Handshake::keep"),
        ("`Guarded::<X>::old`", "Guarded::old"),
        ("`Door::old`", "Door::old"),
        ("`Unknown::thing`", "Unknown::thing"),
    ] {
        assert_eq!(types.missing_in(text), [name], "{text}");
    }
}
