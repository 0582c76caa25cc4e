//! What the documentation says to people who do not have this repository.

use syn::visit::{self, Visit};

use crate::sources::Sources;

/// How the ids of rules begin.
const RULES: [&str; 6] = ["EIO3-", "EIO4-", "SIO4-", "SIO5-", "SRV-", "CLA-"];

/// What is said of each public item, line by line.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn look(&mut self, attributes: &[syn::Attribute]) {
        let mut said = String::new();
        for attribute in attributes {
            let syn::Meta::NameValue(line) = &attribute.meta else {
                continue;
            };
            let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = &line.value
            else {
                continue;
            };
            if attribute.path().is_ident("doc") {
                said += &text.value();
                said += "\n";
            }
        }
        if !said.is_empty() {
            self.0.push(said);
        }
    }
}

/// What is said of the public items of a module's file.
pub(crate) fn said_in(items: &[syn::Item]) -> Vec<String> {
    let mut said = Said::default();
    for item in items {
        said.visit_item(item);
    }
    said.0
}

/// Whether a text has an id of this kind, such as `SIO5-EVT-01`, outside a link.
fn names(text: &str, rule: &str) -> bool {
    text.match_indices(rule).any(|(at, _)| {
        let behind = text[at + rule.len()..].trim_start_matches(|c: char| c.is_ascii_uppercase());
        let digits = behind.trim_start_matches('-');
        digits.starts_with(|c: char| c.is_ascii_digit()) && !text[..at].ends_with('[')
    })
}

const fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
            for field in &item.fields {
                if is_public(&field.vis) {
                    self.look(&field.attrs);
                }
            }
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
            for variant in &item.variants {
                self.look(&variant.attrs);
                for field in &variant.fields {
                    self.look(&field.attrs);
                }
            }
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
            visit::visit_item_trait(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.look(&item.attrs);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
        }
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        if is_public(&item.vis) {
            self.look(&item.attrs);
        }
    }
}

/// What is said of public items and names a rule by its id, which only a reader of the specification can look up. A rule's id stands in a
/// comment below instead.
fn found_in(sources: &Sources) -> Vec<String> {
    let shown = sources.modules.iter().filter(|module| !module.is_hidden);
    let said = shown.flat_map(|module| said_in(&module.items));
    said.filter(|text| RULES.iter().any(|rule| names(text, rule)))
        .collect()
}

#[test]
fn what_is_public_is_explained_without_ids_of_rules() {
    for package in ["engineio", "auth", "socketio"] {
        assert_eq!(found_in(&Sources::of(package)), [""; 0], "{package}");
    }
}

#[test]
fn an_id_in_the_docs_is_found() {
    let text = "
        /// Told (SIO5-EVT-01).
        pub struct A { /// CLA-04
            pub b: u8, /// CLA-05, for us
            c: u8 }
        /// [SRV-VOL-01](https://example.com) is a link, SRV-records are not meant.
        pub fn linked() {}
        /// For us: EIO4-HB-01.
        fn private() {}
        impl A { /// EIO3-HB-01
            pub fn d() {} }
        pub enum E { /// SIO4-CON-02
            V }
        pub trait T { /// SRV-ORD-04
            fn t(); }
    ";
    let found = found_in(&Sources::of_text(text));
    let ids: Vec<&str> = found.iter().map(|text| text.trim()).collect();
    assert_eq!(
        ids,
        [
            "Told (SIO5-EVT-01).",
            "CLA-04",
            "EIO3-HB-01",
            "SIO4-CON-02",
            "SRV-ORD-04"
        ]
    );
}

#[test]
fn each_attack_of_the_guide_has_a_test_with_its_number() {
    let root = crate::root();
    let guide = std::fs::read_to_string(root.join("auth/src/guide/attacks.md")).unwrap();
    let tests: String = ["auth/src", "auth/tests", "socketio/src/tests"]
        .iter()
        .flat_map(|folder| crate::files(&root.join(folder)))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| "));
    let numbers = rows.filter_map(|row| row.split(" |").next());
    let mut count = 0;
    for number in numbers.flat_map(numbers_of) {
        assert!(tests.contains(&format!("fn row_{number:02}_")), "{number}");
        count += 1;
        assert_eq!(count, number, "the numbers follow each other");
    }
    assert!(count >= 40, "{count}");
}

/// `7, 8` and `29 – 31` are several.
fn numbers_of(cell: &str) -> Vec<usize> {
    let single = |text: &str| text.trim().parse::<usize>().ok();
    match cell.split_once('–') {
        Some((first, last)) => single(first)
            .zip(single(last))
            .map(|(first, last)| (first..=last).collect())
            .unwrap_or_default(),
        None => cell.split(',').filter_map(single).collect(),
    }
}
