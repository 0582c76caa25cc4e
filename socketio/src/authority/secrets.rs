//! The parts of opening requests that carry credentials.

use std::any::Any;
use std::net::SocketAddr;

use socketio_auth::{
    Place,
    server::{DynPolicy, RequestSource},
};

/// Headers that carry credentials, whoever reads them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// The parts of opening requests that carry credentials: looked at once, when a connection opens, and not kept.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    headers: Vec<Box<str>>,
    parameters: Vec<Box<str>>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            headers: SECRET_HEADERS.map(Into::into).to_vec(),
            parameters: Vec::new(),
        }
    }
}

impl Secrets {
    /// Those that a policy names and those of any request.
    pub(crate) fn of(policy: &dyn DynPolicy) -> Self {
        let mut secrets = Self::default();
        policy.places(&mut |place| match place {
            Place::Header(name) => add(&mut secrets.headers, name),
            Place::Query(name) => add(&mut secrets.parameters, name),
            _ => {}
        });
        secrets
    }

    pub(crate) fn add(&mut self, others: &Self) {
        let names = |names: &mut Vec<Box<str>>, others: &[Box<str>]| {
            others.iter().for_each(|name| add(names, name));
        };
        names(&mut self.headers, &others.headers);
        names(&mut self.parameters, &others.parameters);
    }

    /// True when any of the parts is in a request.
    pub(crate) fn are_in(&self, request: &engineio::RequestView<'_>) -> bool {
        let mut pairs = request.query().split('&');
        // There are few of them, and a name that a request does not have is told at once.
        let mut headers = self.headers.iter();
        headers.any(|name| request.header(name).is_some())
            || (!self.parameters.is_empty() && pairs.any(|pair| self.has_parameter(pair)))
    }

    pub(crate) fn has_header(&self, name: &[u8]) -> bool {
        let mut all = self.headers.iter();
        all.any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
    }

    pub(crate) fn has_parameter(&self, pair: &str) -> bool {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let mut all = self.parameters.iter();
        all.any(|secret| **secret == *engineio::decode_form(name))
    }
}

/// Once: most policies look in the same places.
fn add(names: &mut Vec<Box<str>>, name: &str) {
    if names.iter().all(|known| **known != *name) {
        names.push(name.into());
    }
}

/// The opening request, for the sources of credentials.
pub(crate) struct Opening<'a>(pub(crate) &'a engineio::RequestView<'a>);

impl RequestSource for Opening<'_> {
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8])) {
        self.0.header_values(name).for_each(found);
    }

    fn query(&self, name: &str, found: &mut dyn FnMut(&str)) {
        self.0.query_values(name).for_each(|value| found(&value));
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.peer()
    }

    fn extensions(&self) -> Option<&dyn Any> {
        self.0.extensions().map(|extensions| extensions as _)
    }
}
