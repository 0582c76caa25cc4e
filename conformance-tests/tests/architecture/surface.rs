//! Which names stand at the root of a crate, that each has one place only, and which types and traits of other crates
//! the documented interface shows. A new major version of one of those crates is a new major version of ours. All these
//! lists grow by decision only.
//!
//! What says `pub` counts as shown: the compiler's `unreachable_pub` holds it to that.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::sources::{ModuleId, Sources, Target};

/// A crate, and what of it is shown.
type Of = (&'static str, &'static [&'static str]);

/// Of each crate, what it shows.
const SHOWN: [(&str, &[Of]); 3] = [
    (
        "engineio",
        &[
            ("bytes", &["Bytes"]),
            (
                "http",
                &[
                    "Extensions",
                    "HeaderMap",
                    "Method",
                    "Request",
                    "Response",
                    "StatusCode",
                ],
            ),
            ("http_body", &["Body"]),
            ("hyper", &["Service"]),
            (
                "tokio",
                &[
                    "AsyncRead",
                    "AsyncWrite",
                    "TcpListener",
                    "TcpStream",
                    "UnixListener",
                    "UnixStream",
                ],
            ),
            ("tokio_rustls", &["Error", "ServerConfig"]),
            ("tower_layer", &["Layer"]),
            ("tower_service", &["Service"]),
        ],
    ),
    (
        "auth",
        &[
            ("serde", &["Deserialize", "DeserializeOwned", "Serialize"]),
            ("serde_json", &["Error", "Value"]),
        ],
    ),
    (
        "socketio",
        &[
            ("bytes", &["Bytes"]),
            (
                "engineio",
                &[
                    "Accepted",
                    "Body",
                    "CloseReason",
                    "Config",
                    "ConfigError",
                    "EitherBody",
                    "EitherFuture",
                    "ForeignStream",
                    "Listener",
                    "MessageBuffer",
                    "OverflowPolicy",
                    "Payload",
                    "Protocol",
                    "RequestView",
                    "SendError",
                    "Sent",
                    "Stats",
                    "Transport",
                ],
            ),
            ("futures_core", &["Stream"]),
            ("http", &["Request", "Response"]),
            ("http_body", &["Body"]),
            ("hyper", &["Service"]),
            ("regex", &["Regex"]),
            (
                "serde",
                &["Deserialize", "DeserializeOwned", "Serialize", "Serializer"],
            ),
            ("serde_json", &["Value"]),
            (
                "socketio_auth",
                &[
                    "Action",
                    "AuditSink",
                    "AuthLimits",
                    "BoxFuture",
                    "ErasedIdentity",
                    "Grant",
                    "GrantFacts",
                    "Lockout",
                    "Policy",
                    "Revocation",
                    "Subject",
                    "TrustedProxies",
                ],
            ),
            ("tokio", &["TcpListener", "TcpStream"]),
            ("tower_layer", &["Layer"]),
            ("tower_service", &["Service"]),
        ],
    ),
];

/// What a short program names, and the modules for the rest.
const ROOTS: [(&str, &[&str]); 2] = [
    (
        "auth",
        &[
            "AuditKind",
            "AuditSink",
            "AuthContext",
            "AuthEvent",
            "AuthField",
            "Authenticator",
            "BearerHeader",
            "BoxFuture",
            "Clock",
            "Code",
            "Cookie",
            "CookieOrigins",
            "Credential",
            "CredentialSource",
            "Dialect",
            "DynAuthenticator",
            "Either",
            "Extract",
            "Fingerprint",
            "Grant",
            "GrantFacts",
            "HandshakeView",
            "Header",
            "InHandshake",
            "Inherit",
            "Mode",
            "NamespacePolicy",
            "OnExpiry",
            "Outcome",
            "Place",
            "Policy",
            "ProvenAuthField",
            "Query",
            "Rejection",
            "Scopes",
            "Secret",
            "SessionBinding",
            "SourceKind",
            "Subject",
            "SystemClock",
            "TwoRoundTrip",
            "auth_fn",
            "authorize",
            "combinators",
            "fetch",
            "jwt",
            "limits",
            "opaque",
            "revocation",
            "server",
            "testing",
        ],
    ),
    (
        "socketio",
        &[
            "Ack",
            "AckError",
            "AckFuture",
            "AckStream",
            "Args",
            "AuthControl",
            "Binary",
            "Broadcast",
            "BuildError",
            "ClientBundle",
            "Closed",
            "ConnectError",
            "DisconnectReason",
            "EmitError",
            "EmitWhenReady",
            "Emitter",
            "Event",
            "Extensions",
            "FetchedSocket",
            "Handshake",
            "JoinError",
            "Namespace",
            "NamespaceBuilder",
            "NoAck",
            "OverflowPolicy",
            "OwnedArgs",
            "Recovery",
            "Room",
            "Sent",
            "Socket",
            "SocketId",
            "SocketIo",
            "SocketIoBuilder",
            "SocketIoLayer",
            "SocketIoService",
            "args",
            "auth",
            "cluster",
            "engineio",
            "metrics",
            "namespace",
            "parser",
            "testing",
        ],
    ),
];

/// By crate, the names that are shown.
type Shown = BTreeMap<String, BTreeSet<String>>;

/// Walks what is public of one module.
struct Surface<'a> {
    sources: &'a Sources,
    module: ModuleId,
    /// The public types and traits, by where they are defined.
    public: &'a BTreeSet<Target>,
    shown: Shown,
}

impl Surface<'_> {
    fn resolve(&self, path: &syn::Path) -> BTreeSet<Target> {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        let found = self.sources.resolve(self.module, &segments);
        if found.is_empty() && segments.len() > 1 {
            return BTreeSet::from([Target::Foreign(segments)]);
        }
        found
    }

    fn note(&mut self, path: &syn::Path) {
        for target in self.resolve(path) {
            let Target::Foreign(segments) = target else {
                continue;
            };
            let (Some(owner), Some(name)) = (segments.first(), segments.last()) else {
                continue;
            };
            // An associated type, as in `Self::Future` or `T::Data`, is nobody's.
            let is_crate = owner.starts_with(|first: char| first.is_ascii_lowercase());
            if is_crate && !matches!(owner.as_str(), "std" | "core" | "alloc") {
                self.shown
                    .entry(owner.clone())
                    .or_default()
                    .insert(name.clone());
            }
        }
    }

    /// Whether a type is one of ours that is public.
    fn is_public(&self, ty: &syn::Type) -> bool {
        match ty {
            syn::Type::Path(path) => self
                .resolve(&path.path)
                .iter()
                .any(|target| self.public.contains(target)),
            syn::Type::Reference(reference) => self.is_public(&reference.elem),
            // A parameter, `Arc<T>`, a tuple: what the trait says decides.
            _ => false,
        }
    }

    fn item(&mut self, item: &syn::Item) {
        use syn::Item;
        match item {
            Item::Fn(item) if is_public(&item.vis) => self.visit_signature(&item.sig),
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Static(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Type(item) if is_public(&item.vis) => self.visit_item_type(item),
            Item::Enum(item) if is_public(&item.vis) => {
                self.derives(&item.attrs);
                self.visit_item_enum(item);
            }
            Item::Trait(item) if is_public(&item.vis) => self.visit_item_trait(item),
            Item::Struct(item) if is_public(&item.vis) => {
                self.derives(&item.attrs);
                self.visit_generics(&item.generics);
                let public = item.fields.iter().filter(|field| is_public(&field.vis));
                public.for_each(|field| self.visit_type(&field.ty));
            }
            Item::Impl(item) => self.implementation(item),
            Item::Use(item) if is_public(&item.vis) => {}
            _ => {}
        }
    }

    fn derives(&mut self, attributes: &[syn::Attribute]) {
        for attribute in attributes.iter().filter(|it| it.path().is_ident("derive")) {
            let _ = attribute.parse_nested_meta(|derived| {
                self.note(&derived.path);
                Ok(())
            });
        }
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        let Some((path, _)) = &item.trait_ else {
            let mut has_public = false;
            for part in &item.items {
                match part {
                    syn::ImplItem::Fn(method) if is_public(&method.vis) => {
                        has_public = true;
                        self.visit_signature(&method.sig);
                    }
                    syn::ImplItem::Const(constant) if is_public(&constant.vis) => {
                        self.visit_type(&constant.ty);
                    }
                    _ => {}
                }
            }
            if has_public {
                self.visit_generics(&item.generics);
                self.visit_type(&item.self_ty);
            }
            return;
        };
        let is_ours = self
            .resolve(path)
            .iter()
            .any(|target| self.public.contains(target));
        let is_foreign = self
            .resolve(path)
            .iter()
            .all(|target| matches!(target, Target::Foreign(_)));
        if is_ours || (is_foreign && self.is_public(&item.self_ty)) {
            self.visit_generics(&item.generics);
            self.visit_path(path);
            self.visit_type(&item.self_ty);
            for part in &item.items {
                if let syn::ImplItem::Type(part) = part {
                    self.visit_type(&part.ty);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Surface<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(path);
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_block(&mut self, _: &'ast syn::Block) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

fn public_types(sources: &Sources) -> BTreeSet<Target> {
    use syn::Item;
    let mut found = BTreeSet::new();
    for (id, module) in sources.modules.iter().enumerate() {
        for item in &module.items {
            let (visibility, name) = match item {
                Item::Enum(item) => (&item.vis, &item.ident),
                Item::Struct(item) => (&item.vis, &item.ident),
                Item::Trait(item) => (&item.vis, &item.ident),
                Item::Type(item) => (&item.vis, &item.ident),
                _ => continue,
            };
            if is_public(visibility) {
                found.insert(Target::Item(id, name.to_string()));
            }
        }
    }
    found
}

fn shown(sources: &Sources) -> Shown {
    let public = public_types(sources);
    let mut shown = Shown::new();
    for (module, content) in sources.modules.iter().enumerate() {
        if content.is_hidden {
            continue;
        }
        let mut surface = Surface {
            sources,
            module,
            public: &public,
            shown,
        };
        for item in &content.items {
            surface.item(item);
        }
        shown = surface.shown;
    }
    shown
}

fn told(shown: &Shown) -> String {
    let lines = shown.iter().map(|(owner, names)| {
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        format!("(\"{owner}\", &[{}]),\n", names.join(", "))
    });
    lines.collect()
}

/// The names that a module has for others, and what each leads to.
fn names(sources: &Sources, module: ModuleId) -> BTreeMap<String, BTreeSet<Target>> {
    use syn::Item;
    let mut names = BTreeMap::new();
    for item in &sources.modules[module].items {
        let (visibility, found) = match item {
            Item::Use(item) => (&item.vis, imported(&item.tree)),
            Item::Const(item) => (&item.vis, vec![item.ident.to_string()]),
            Item::Enum(item) => (&item.vis, vec![item.ident.to_string()]),
            Item::Fn(item) => (&item.vis, vec![item.sig.ident.to_string()]),
            Item::Struct(item) => (&item.vis, vec![item.ident.to_string()]),
            Item::Trait(item) => (&item.vis, vec![item.ident.to_string()]),
            Item::Type(item) => (&item.vis, vec![item.ident.to_string()]),
            _ => continue,
        };
        for name in found.into_iter().filter(|_| is_public(visibility)) {
            let leads_to = sources.resolve(module, std::slice::from_ref(&name));
            names.insert(name, leads_to);
        }
    }
    names
}

/// The names by which a `use` is known.
fn imported(tree: &syn::UseTree) -> Vec<String> {
    match tree {
        syn::UseTree::Path(path) => imported(&path.tree),
        syn::UseTree::Name(name) => vec![name.ident.to_string()],
        syn::UseTree::Rename(renamed) => vec![renamed.rename.to_string()],
        syn::UseTree::Group(group) => group.items.iter().flat_map(imported).collect(),
        syn::UseTree::Glob(_) => vec!["*".to_owned()],
    }
}

/// What has more than one public place, with these.
fn doubles(sources: &Sources) -> Vec<String> {
    let (mut places, mut open) = (
        BTreeMap::<Target, Vec<String>>::new(),
        vec![(String::new(), 0)],
    );
    while let Some((path, module)) = open.pop() {
        for (name, targets) in names(sources, module) {
            for target in targets {
                places
                    .entry(target)
                    .or_default()
                    .push(format!("{path}{name}"));
            }
        }
        let inside = sources.public_modules(module);
        open.extend(
            inside
                .iter()
                .map(|(name, id)| (format!("{path}{name}::"), *id)),
        );
    }
    let several = places.into_values().filter(|places| places.len() > 1);
    several.map(|places| places.join(", ")).collect()
}

#[test]
fn the_root_has_these_names_and_each_has_one_place() {
    let mut problems = Vec::new();
    for (package, listed) in ROOTS {
        let sources = Sources::of(package);
        let mut found: BTreeSet<String> = names(&sources, 0).into_keys().collect();
        let modules = sources.public_modules(0);
        found.extend(modules.iter().map(|(name, _)| (*name).to_owned()));
        let listed: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        for name in found.symmetric_difference(&listed) {
            problems.push(format!(
                "{package}: {name} is listed or there, but not both"
            ));
        }
        problems.extend(doubles(&sources));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The public types and traits of a crate by their names, with the modules in which they stand.
fn named_types(sources: &Sources) -> BTreeMap<String, Vec<String>> {
    let types = public_types(sources);
    let (mut found, mut open) = (
        BTreeMap::<String, Vec<String>>::new(),
        vec![(String::new(), 0)],
    );
    while let Some((path, module)) = open.pop() {
        for (name, targets) in names(sources, module) {
            if targets.iter().any(|target| types.contains(target)) {
                found.entry(name).or_default().push(path.clone());
            }
        }
        let inside = sources.public_modules(module);
        open.extend(
            inside
                .iter()
                .map(|(name, id)| (format!("{path}{name}::"), *id)),
        );
    }
    found
}

/// The names that mean several things, with these.
fn shared_names<'a>(crates: impl IntoIterator<Item = (&'a str, Sources)>) -> Vec<String> {
    let mut meanings = BTreeMap::<String, Vec<String>>::new();
    for (package, sources) in crates {
        for (name, places) in named_types(&sources) {
            let places = places.iter().map(|path| format!("{package}::{path}{name}"));
            meanings.entry(name.clone()).or_default().extend(places);
        }
    }
    let several = meanings.into_values().filter(|places| places.len() > 1);
    several.map(|places| places.join(", ")).collect()
}

#[test]
fn a_name_of_the_interface_means_one_thing_in_all_crates() {
    let crates = SHOWN.map(|(package, _)| (package, Sources::of(package)));
    let shared = shared_names(crates);
    assert!(shared.is_empty(), "{}", shared.join("\n"));
}

#[test]
fn a_name_with_two_meanings_is_found() {
    let one = Sources::of_text("pub struct Limits; pub mod inner { pub struct Own; } struct Mine;");
    let other = Sources::of_text(
        "mod unseen { pub struct Own; } pub mod sizes { pub enum Limits {} } pub struct Mine;",
    );
    assert_eq!(
        shared_names([("one", one), ("other", other)]),
        ["one::Limits, other::sizes::Limits"]
    );
}

#[test]
fn a_name_with_two_places_is_found() {
    let sources = Sources::of_text(
        r#"
        mod inner { pub struct Once; pub struct Twice; pub(crate) struct Own; }
        pub use inner::{Once, Twice};
        pub mod again { pub use crate::inner::Twice; pub(crate) use crate::inner::Own; }
        mod unseen { pub use crate::inner::Once; }
        "#,
    );
    assert_eq!(doubles(&sources), ["Twice, again::Twice"]);
}

#[test]
fn the_interface_shows_these_types_of_other_crates() {
    let mut problems = Vec::new();
    for (package, listed) in SHOWN {
        let found = shown(&Sources::of(package));
        let listed: Shown = listed
            .iter()
            .map(|(owner, names)| {
                let names = names.iter().map(|name| (*name).to_owned());
                ((*owner).to_owned(), names.collect())
            })
            .collect();
        if found != listed {
            problems.push(format!("{package} shows:\n{}", told(&found)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_is_private_or_in_a_body_is_not_shown() {
    let sources = Sources::of_text(
        r#"
        use one::{Argument, Bound, Derived, Field, Hidden, Output};
        #[derive(Derived)]
        pub struct Shown { pub field: Field, hidden: Hidden }
        struct Own;
        impl Shown {
            pub fn method<T: Bound>(argument: &[Argument]) -> Option<Output> { Hidden::new() }
            pub(crate) fn inner(_: Hidden) {}
        }
        impl two::Shape for Shown { type Part = two::Part; }
        impl two::Unseen for Own {}
        pub trait Ours: three::Above { fn of(&self) -> Self::Part; }
        impl Ours for three::Foreign {}
        #[doc(hidden)]
        pub mod tools { pub fn tool(_: four::Tool) {} }
        "#,
    );
    assert_eq!(
        told(&shown(&sources)),
        "(\"one\", &[\"Argument\", \"Bound\", \"Derived\", \"Field\", \"Output\"]),\n\
         (\"three\", &[\"Above\", \"Foreign\"]),\n\
         (\"two\", &[\"Part\", \"Shape\"]),\n"
    );
}
