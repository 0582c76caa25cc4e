//! The modules of a crate as its files declare them, and what a path in one of them leads to.
//!
//! Macros are not expanded: what their bodies and arguments name is found as text. What only tests compile is left
//! out. A method that is called without naming its type is not seen: this is about `use` lines and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// A path's segments.
pub(crate) type Segments = Vec<String>;

/// Which module of a crate.
pub(crate) type ModuleId = usize;

/// Which file uses which other, with one of the paths by which it does.
pub(crate) type Arrows = BTreeMap<(PathBuf, PathBuf), String>;

/// How long a chain of re-exports may be.
const MAX_RE_EXPORTS: usize = 16;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A module as such.
    Module(ModuleId),
    /// Something that this module defines.
    Item(ModuleId, String),
    /// Something of another crate.
    Foreign(Segments),
}

/// A module that tests do not need to be compiled for.
#[derive(Default)]
pub(crate) struct Module {
    /// The file that it stands in, relative to the crate's root.
    pub(crate) file: PathBuf,
    /// What it defines and does, without its modules.
    pub(crate) items: Vec<syn::Item>,
    /// Whether it stands outside the documented interface.
    pub(crate) is_hidden: bool,
    /// Whether it is declared `pub`.
    pub(crate) is_public: bool,
    parent: Option<ModuleId>,
    /// More than one where features choose.
    children: BTreeMap<String, Vec<ModuleId>>,
    defined: BTreeSet<String>,
    imports: BTreeMap<String, Vec<Segments>>,
    globs: Vec<Segments>,
    paths: BTreeSet<Segments>,
}

impl Module {
    /// The paths that it imports and names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Segments> {
        self.imports.values().flatten().chain(&self.paths)
    }
}

/// The modules of one crate.
pub(crate) struct Sources {
    pub(crate) modules: Vec<Module>,
}

impl Sources {
    /// Reads the crate in this folder of the workspace.
    pub(crate) fn of(package: &str) -> Self {
        Self::read(&crate::root().join(package).join("src"))
    }

    /// Reads a crate from the folder of its `lib.rs` or `main.rs`.
    fn read(folder: &Path) -> Self {
        let root = ["lib.rs", "main.rs"]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|file| file.is_file())
            .expect("the folder of a crate");
        let mut sources = Self {
            modules: Vec::new(),
        };
        sources.read_file(folder, &root, folder, None, false);
        sources
    }

    /// Takes a text for a whole crate, to try this check itself.
    pub(crate) fn of_text(text: &str) -> Self {
        let mut sources = Self {
            modules: Vec::new(),
        };
        let file = syn::parse_file(text).expect("Rust");
        sources.add(
            Path::new(""),
            Path::new("lib.rs"),
            Path::new(""),
            None,
            false,
            file.items,
        );
        sources
    }

    fn read_file(
        &mut self,
        root: &Path,
        file: &Path,
        inner: &Path,
        parent: Option<ModuleId>,
        is_hidden: bool,
    ) -> ModuleId {
        let text = fs::read_to_string(file).expect("the file of a module");
        let parsed = syn::parse_file(&text).expect("Rust");
        let name = file.strip_prefix(root).unwrap_or(file);
        self.add(root, name, inner, parent, is_hidden, parsed.items)
    }

    /// Adds a module and those inside it; their files stand in the folder `inner`.
    fn add(
        &mut self,
        root: &Path,
        file: &Path,
        inner: &Path,
        parent: Option<ModuleId>,
        is_hidden: bool,
        items: Vec<syn::Item>,
    ) -> ModuleId {
        let id = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            is_hidden,
            parent,
            ..Module::default()
        });
        let (mut seen, mut kept) = (Seen::default(), Vec::new());
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            let syn::Item::Mod(module) = item else {
                if let Some(name) = defined_name(&item) {
                    self.modules[id].defined.insert(name);
                }
                seen.visit_item(&item);
                kept.push(item);
                continue;
            };
            let name = module.ident.to_string();
            let folder = inner.join(&name);
            let is_hidden = is_hidden || is_doc_hidden(&module.attrs);
            let is_public = matches!(module.vis, syn::Visibility::Public(_));
            let child = match module.content {
                Some((_, items)) => self.add(root, file, &folder, Some(id), is_hidden, items),
                None => {
                    let at_path = path_attribute(&module.attrs).map(|path| {
                        let here = root.join(file);
                        here.parent().unwrap_or(root).join(path)
                    });
                    let (found, folder) = if let Some(at_path) = at_path {
                        // What such a file declares stands beside it.
                        let beside = at_path.parent().unwrap_or(root).to_owned();
                        (at_path, beside)
                    } else {
                        let alone = inner.join(format!("{name}.rs"));
                        let is_alone = alone.is_file();
                        let found = if is_alone {
                            alone
                        } else {
                            folder.join("mod.rs")
                        };
                        (found, folder)
                    };
                    self.read_file(root, &found, &folder, Some(id), is_hidden)
                }
            };
            self.modules[child].is_public = is_public;
            self.modules[id]
                .children
                .entry(name)
                .or_default()
                .push(child);
        }
        let module = &mut self.modules[id];
        module.items = kept;
        module.imports = seen.imports;
        module.globs = seen.globs;
        module.paths = seen.paths;
        id
    }

    /// The documented modules inside one, by name.
    pub(crate) fn public_modules(&self, module: ModuleId) -> Vec<(&str, ModuleId)> {
        let children = self.modules[module].children.iter();
        let children =
            children.flat_map(|(name, found)| found.iter().map(move |child| (&**name, *child)));
        children
            .filter(|(_, child)| self.modules[*child].is_public && !self.modules[*child].is_hidden)
            .collect()
    }

    /// What a path that stands in `module` leads to, through every re-export. Nothing when it is a local name, a
    /// type parameter for example.
    pub(crate) fn resolve(&self, module: ModuleId, path: &[String]) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        self.follow(module, path, MAX_RE_EXPORTS, &mut found);
        found
    }

    fn follow(&self, from: ModuleId, path: &[String], left: usize, found: &mut BTreeSet<Target>) {
        let Some((first, rest)) = path.split_first() else {
            found.insert(Target::Module(from));
            return;
        };
        match first.as_str() {
            "crate" => self.follow(0, rest, left, found),
            "self" => self.follow(from, rest, left, found),
            "super" => self.follow(self.modules[from].parent.unwrap_or(0), rest, left, found),
            _ => self.look_up(from, path, left, found),
        }
    }

    /// The first segment is a name.
    fn look_up(&self, from: ModuleId, path: &[String], left: usize, found: &mut BTreeSet<Target>) {
        let (Some((name, rest)), Some(left)) = (path.split_first(), left.checked_sub(1)) else {
            return;
        };
        let module = &self.modules[from];
        if let Some(children) = module.children.get(name) {
            for child in children {
                self.follow(*child, rest, left, found);
            }
        } else if module.defined.contains(name) {
            found.insert(Target::Item(from, name.clone()));
        } else if let Some(imports) = module.imports.get(name) {
            for import in imports {
                let whole: Segments = import.iter().chain(rest).cloned().collect();
                let is_itself = import.first() == Some(name);
                if is_itself && !module.children.contains_key(name) {
                    found.insert(Target::Foreign(whole));
                    continue;
                }
                let known = found.len();
                self.follow(from, &whole, left, found);
                if found.len() == known && !is_relative(import) {
                    found.insert(Target::Foreign(whole));
                }
            }
        } else {
            for glob in &module.globs {
                let whole: Segments = glob.iter().chain(path).cloned().collect();
                if is_relative(glob) || module.children.contains_key(&glob[0]) {
                    self.follow(from, &whole, left, found);
                }
            }
        }
    }

    /// Whether a path goes through what the crate's root shows to the outside: a re-export of it, or a module in its file
    /// that consists of such.
    pub(crate) fn is_shown_by_the_root(&self, path: &[String]) -> bool {
        let [first, name, ..] = path else {
            return false;
        };
        let Some(root) = self.modules.first().filter(|_| first == "crate") else {
            return false;
        };
        let is_face = |id: &ModuleId| {
            let module = &self.modules[*id];
            module.file == root.file && module.defined.is_empty()
        };
        match root.children.get(name) {
            Some(children) => children.iter().any(is_face),
            None => root.imports.contains_key(name),
        }
    }

    /// Which file uses which, with one of the paths by which it does. A module that is only passed through does not
    /// count: what is named behind it does, where it is defined.
    pub(crate) fn arrows(&self) -> Arrows {
        let mut arrows = BTreeMap::new();
        for (id, module) in self.modules.iter().enumerate() {
            for path in module.named() {
                for target in self.resolve(id, path) {
                    let Target::Item(defines, _) = target else {
                        continue;
                    };
                    let file = &self.modules[defines].file;
                    if *file != module.file {
                        arrows
                            .entry((module.file.clone(), file.clone()))
                            .or_insert_with(|| path.join("::"));
                    }
                }
            }
        }
        arrows
    }
}

fn is_relative(path: &[String]) -> bool {
    matches!(
        path.first().map(String::as_str),
        Some("crate" | "self" | "super")
    )
}

/// The files that lead to each other, in groups of two and more.
pub(crate) fn rings(arrows: &Arrows) -> Vec<BTreeSet<PathBuf>> {
    let mut next: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        next.entry(from).or_default().insert(to);
    }
    let reach = |from: &PathBuf| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for to in next.get(at).into_iter().flatten() {
                if reached.insert(*to) {
                    open.push(to);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = next.keys().map(|from| (*from, reach(from))).collect();
    let mut rings = BTreeSet::new();
    for (file, all) in &reached {
        let ring: BTreeSet<PathBuf> = all
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).clone())
            .collect();
        if ring.len() > 1 {
            rings.insert(ring);
        }
    }
    rings.into_iter().collect()
}

/// What one module imports and names.
#[derive(Debug, Default)]
struct Seen {
    imports: BTreeMap<String, Vec<Segments>>,
    globs: Vec<Segments>,
    paths: BTreeSet<Segments>,
}

impl Seen {
    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    let imports = self.imports.entry(last.clone()).or_default();
                    imports.push(before.to_vec());
                }
            }
            syn::UseTree::Name(name) => {
                let imports = self.imports.entry(name.ident.to_string()).or_default();
                imports.push(with(&name.ident));
            }
            syn::UseTree::Rename(renamed) => {
                let name = match renamed.rename.to_string() {
                    // A trait imported for its methods only: no path can begin with it.
                    unnamed if unnamed == "_" => format!("_ {}", self.imports.len()),
                    named => named,
                };
                let imports = self.imports.entry(name).or_default();
                imports.push(with(&renamed.ident));
            }
            syn::UseTree::Glob(_) => self.globs.push(before.to_vec()),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    // `pub(in crate::x)` uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        // One name alone came by an import, or is of this file.
        if segments.len() > 1 && path.leading_colon.is_none() {
            self.paths.insert(segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        visit::visit_macro(self, called);
        self.paths.extend(paths_in(&called.tokens.to_string()));
    }
}

/// The paths that a text of tokens names.
fn paths_in(tokens: &str) -> Vec<Segments> {
    let is_name = |word: &&str| {
        word.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && word
                .chars()
                .all(|part| part.is_alphanumeric() || part == '_')
    };
    let spaced = tokens
        .replace("::", " :: ")
        .replace(['(', ')', '$', ',', '<', '>'], " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let mut path = vec![(*word).to_owned()];
        let is_path = is_name(word);
        at += 1;
        while is_path && words.get(at) == Some(&"::") {
            let Some(next) = words.get(at + 1).filter(|next| is_name(next)) else {
                break;
            };
            path.push((*next).to_owned());
            at += 2;
        }
        if path.len() > 1 {
            found.push(path);
        }
    }
    found
}

fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(literal) = &pair.value else {
            return None;
        };
        match &literal.lit {
            syn::Lit::Str(path) if pair.path.is_ident("path") => Some(path.value()),
            _ => None,
        }
    })
}

/// Whether an attribute is `name(arguments)`, with the arguments written so.
fn is_list(attribute: &syn::Attribute, name: &str, is_wanted: impl Fn(&str) -> bool) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    list.path.is_ident(name) && is_wanted(&list.tokens.to_string().replace(' ', ""))
}

/// Whether something is there in tests, and at most for tools beside them.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        is_list(attribute, "cfg", |when| {
            when == "test" || when.starts_with("all(test,") || when.contains("doctest")
        })
    })
}

fn is_doc_hidden(attributes: &[syn::Attribute]) -> bool {
    let is_hidden = |attribute| is_list(attribute, "doc", |what| what == "hidden");
    attributes.iter().any(is_hidden)
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined_name(item: &syn::Item) -> Option<String> {
    use syn::Item;
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

#[test]
fn a_path_leads_to_what_defines_it() {
    let sources = Sources::of_text(
        r#"
        mod shown { pub use self::inner::Thing; mod inner { pub struct Thing; } }
        mod all { pub use crate::shown::*; pub use http::Request as Asked; }
        mod user {
            use crate::all::{Asked, Thing as Named};
            use crate::all;
            #[cfg(test)]
            use crate::shown::Gone;
            fn of(_: Named) { all::Thing; told!(crate::shown::Thing); }
        }
        "#,
    );
    let find = |file_has: &str| {
        let is_it = |module: &Module| module.defined.contains(file_has);
        sources.modules.iter().position(is_it).expect("a module")
    };
    let (user, inner) = (find("of"), find("Thing"));
    let resolve = |path: &str| {
        let path: Segments = path.split("::").map(str::to_owned).collect();
        sources.resolve(user, &path).into_iter().collect::<Vec<_>>()
    };
    let thing = Target::Item(inner, "Thing".to_owned());
    for path in [
        "Named",
        "all::Thing",
        "super::shown::Thing",
        "crate::all::Thing::new",
    ] {
        assert_eq!(resolve(path), std::slice::from_ref(&thing), "{path}");
    }
    assert_eq!(
        resolve("Asked"),
        [Target::Foreign(vec![
            "http".to_owned(),
            "Request".to_owned()
        ])]
    );
    assert_eq!(resolve("Gone"), []);
    let paths = &sources.modules[user].paths;
    let is_seen = |path: &[&str]| paths.iter().any(|seen| seen == path);
    assert!(is_seen(&["crate", "shown", "Thing"]), "a macro's argument");
}
