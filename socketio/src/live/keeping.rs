//! What is to be kept of a connection's first request beside what is no secret.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use engineio::RequestView;

use crate::type_map::{AnyValue, TypeMap};

/// Gives what the application wants to keep.
type Hook = dyn for<'r> Fn(&RequestView<'r>) -> Option<AnyValue> + Send + Sync;

/// What is to be kept.
#[derive(Clone, Default)]
pub(crate) struct Keeping {
    pub(crate) headers: KeptHeaders,
    pub(crate) cookies: Vec<Box<str>>,
    pub(crate) hooks: Vec<Arc<Hook>>,
}

/// Which headers, of those that are no secret.
#[derive(Clone, Debug, Default)]
pub(crate) enum KeptHeaders {
    #[default]
    All,
    /// These, and the `Origin`: authenticators and the books see it.
    Only(Vec<Box<str>>),
}

impl Keeping {
    pub(super) fn wants_header(&self, name: &[u8]) -> bool {
        match &self.headers {
            KeptHeaders::All => true,
            KeptHeaders::Only(names) => {
                let is_it = |wanted: &str| wanted.as_bytes().eq_ignore_ascii_case(name);
                is_it("origin") || names.iter().any(|wanted| is_it(wanted))
            }
        }
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping")
            .field("headers", &self.headers)
            .field("cookies", &self.cookies)
            .field("hooks", &self.hooks.len())
            .finish()
    }
}

/// What few connections have beside the rest of their request.
#[derive(Clone)]
pub(super) struct Beside {
    pub(super) proxy: Option<SocketAddr>,
    /// Names and values.
    pub(super) cookies: Box<[(Box<str>, Box<str>)]>,
    pub(super) extensions: TypeMap,
}

impl Beside {
    /// `None` when there is nothing of the kind.
    pub(super) fn of(request: &RequestView<'_>, keeping: &Keeping) -> Option<Box<Self>> {
        let proxy = request.proxy();
        if proxy.is_none() && keeping.cookies.is_empty() && keeping.hooks.is_empty() {
            return None;
        }
        let wanted = keeping.cookies.iter();
        let cookies: Box<[_]> = wanted
            .filter_map(|name| Some((name.clone(), Box::from(request.cookie(name)?))))
            .collect();
        let mut extensions = TypeMap::default();
        for kept in keeping.hooks.iter().filter_map(|hook| hook(request)) {
            extensions.insert(kept);
        }
        let is_empty = proxy.is_none() && cookies.is_empty() && extensions.is_empty();
        (!is_empty).then(|| {
            Box::new(Self {
                proxy,
                cookies,
                extensions,
            })
        })
    }
}
