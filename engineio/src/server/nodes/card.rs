//! Who asks, as one node tells another: where the client's connection came from, and for whom a proxy speaks.

use std::fmt::Display;
use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::request::{Caller, Forwarded, RequestView};
use crate::nodes::Nodes;

/// The pass of a node.
const PASS: HeaderName = HeaderName::from_static("x-engineio-node");
const CARD: HeaderName = HeaderName::from_static("x-engineio-client");

/// What stands for what is not known, or for nobody.
const UNKNOWN: &str = "-";
/// Stands for a client whose address its proxy did not tell.
const UNTOLD: &str = "?";

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Card {
    pub(crate) caller: Caller,
    pub(crate) forwarded: Option<Forwarded>,
}

/// Whether a header is one that only nodes say.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    name == PASS || name == CARD
}

/// Adds what another node is to know of who asks.
pub(crate) fn write(nodes: &Nodes, request: &RequestView<'_>, headers: &mut HeaderMap) {
    let client = request.peer();
    let (peer, client) = match request.proxy() {
        Some(proxy) => {
            let told = client.map(|client| client.ip().to_string());
            (Some(proxy), told.unwrap_or_else(|| UNTOLD.to_owned()))
        }
        None => (client, UNKNOWN.to_owned()),
    };
    let is_secure = u8::from(request.is_secure());
    let is_unix = u8::from(request.is_unix());
    let card = format!("{};{client};{is_secure};{is_unix}", known(peer));
    // Both are of digits, letters and punctuation.
    let values = [
        HeaderValue::from_str(nodes.pass()),
        HeaderValue::try_from(card),
    ];
    for (name, value) in [PASS, CARD].into_iter().zip(values) {
        headers.extend(value.ok().map(|value| (name, value)));
    }
}

fn known(address: Option<impl Display>) -> String {
    address.map_or_else(|| UNKNOWN.to_owned(), |address| address.to_string())
}

/// Takes off what another node says of who asks; `None` when it is none.
pub(crate) fn take(nodes: &Nodes, headers: &mut HeaderMap) -> Option<Card> {
    let pass = headers.remove(PASS)?;
    if !nodes.is_pass(pass.as_bytes()) {
        return None;
    }
    let card = headers.remove(CARD)?;
    let mut fields = card.to_str().ok()?.split(';');
    let mut field = || fields.next();
    let peer = read(field()?)?;
    let forwarded = match field()? {
        UNTOLD => Some(Forwarded::unknown()),
        client => read(client)?.map(Forwarded::new),
    };
    let (is_secure, is_unix) = (field()? == "1", field()? == "1");
    Some(Card {
        caller: Caller {
            peer,
            is_secure,
            is_unix,
        },
        forwarded: forwarded.map(|forwarded| forwarded.secure(is_secure)),
    })
}

fn read<T: FromStr>(field: &str) -> Option<Option<T>> {
    match field {
        UNKNOWN => Some(None),
        address => Some(Some(address.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::http::request::Headers;

    fn passed(caller: Caller, forwarded: Option<Forwarded>, secret: u8) -> Option<Card> {
        let none = HeaderMap::new();
        let view = RequestView::new(&Method::GET, "/", Headers::Map(&none, None), &caller);
        let view = view.forwarded(forwarded);
        let mut headers = HeaderMap::new();
        write(&Nodes::new(1, [7; 32]).unwrap(), &view, &mut headers);
        let card = take(&Nodes::new(2, [secret; 32]).unwrap(), &mut headers);
        assert!(!headers.contains_key(PASS));
        card
    }

    #[test]
    fn who_asks_is_the_same_on_both_nodes() {
        let peers = [
            None,
            Some(([10, 0, 0, 1], 4000).into()),
            Some("[2001:db8::1]:1".parse().unwrap()),
        ];
        let clients = [
            None,
            Some(Forwarded::new([192, 0, 2, 1].into())),
            Some(Forwarded::new("2001:db8::2".parse().unwrap()).secure(true)),
            Some(Forwarded::unknown().secure(true)),
        ];
        for peer in peers {
            for is_secure in [false, true] {
                for forwarded in clients {
                    let caller = Caller {
                        peer,
                        is_secure,
                        is_unix: peer.is_none(),
                    };
                    let card = passed(caller, forwarded, 7).unwrap();
                    let none = HeaderMap::new();
                    let headers = Headers::Map(&none, None);
                    let here =
                        RequestView::new(&Method::GET, "/", headers, &caller).forwarded(forwarded);
                    let there = RequestView::new(&Method::GET, "/", headers, &card.caller);
                    let there = there.forwarded(card.forwarded);
                    assert_eq!(there.peer(), here.peer());
                    assert_eq!(there.proxy(), here.proxy());
                    assert_eq!(there.is_secure(), here.is_secure());
                    assert_eq!(there.is_unix(), here.is_unix());
                }
            }
        }
    }

    #[test]
    fn who_does_not_know_the_secret_says_nothing() {
        assert!(passed(Caller::UNKNOWN, None, 8).is_none());
        let mut headers = HeaderMap::new();
        headers.insert(CARD, HeaderValue::from_static("-;-;0;0"));
        assert!(take(&Nodes::new(1, [7; 32]).unwrap(), &mut headers).is_none());
    }
}
