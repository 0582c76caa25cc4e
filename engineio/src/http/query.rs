//! The parameters of the query string that the protocol knows (EIO4-QRY).

use std::borrow::Cow;

use super::request::{RequestView, form_pairs};
use crate::packet::Protocol;
use crate::transport::Transport;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) transport: Option<Transport>,
    /// Never empty: an empty one is none (EIO4-QRY-06).
    pub(crate) sid: Option<Cow<'a, str>>,
    pub(crate) is_base64: bool,
    /// The digits of `j`, when it is there at all (EIO4-JSP-01).
    pub(crate) jsonp: Option<Box<str>>,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(request: &RequestView<'a>) -> Self {
        let mut query = Self {
            protocol: Protocol::V3,
            transport: None,
            sid: None,
            is_base64: false,
            jsonp: None,
        };
        let rest = query.take_usual(request.query());
        // The last occurrence of a parameter wins (EIO4-QRY-04).
        for (name, value) in form_pairs(rest) {
            match &*name {
                "EIO" => {
                    query.protocol = if value == "4" {
                        Protocol::V4
                    } else {
                        Protocol::V3
                    };
                }
                "transport" => {
                    query.transport = match &*value {
                        "polling" => Some(Transport::Polling),
                        "websocket" => Some(Transport::WebSocket),
                        _ => None,
                    };
                }
                "sid" => query.sid = Some(value).filter(|sid| !sid.is_empty()),
                "b64" => query.is_base64 = !value.is_empty(),
                "j" => query.jsonp = Some(value.chars().filter(char::is_ascii_digit).collect()),
                _ => {}
            }
        }
        query
    }

    /// Takes what the query of nearly every client begins with; the rest is yet to be read.
    fn take_usual(&mut self, text: &'a str) -> &'a str {
        let usual = text.strip_prefix("EIO=4&transport=").and_then(|text| {
            let (transport, rest) = match text.strip_prefix("websocket") {
                Some(rest) => (Transport::WebSocket, rest),
                None => (Transport::Polling, text.strip_prefix("polling")?),
            };
            // Or it is another word.
            (rest.is_empty() || rest.starts_with('&')).then_some((transport, rest))
        });
        let Some((transport, rest)) = usual else {
            return text;
        };
        self.protocol = Protocol::V4;
        self.transport = Some(transport);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{Caller, Headers};
    use http::{HeaderMap, Method};

    fn parse(text: &str) -> Query<'static> {
        let headers = HeaderMap::new();
        let target = format!("/engine.io/?{text}");
        let view = RequestView::new(
            &Method::GET,
            &target,
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
        );
        let query = Query::parse(&view);
        Query {
            sid: query.sid.map(|sid| Cow::Owned(sid.into_owned())),
            ..query
        }
    }

    #[test]
    fn only_exactly_four_is_protocol_four() {
        for (text, protocol) in [
            ("EIO=4", Protocol::V4),
            ("EIO=%34", Protocol::V4),
            ("EIO=3&EIO=4", Protocol::V4),
            ("EIO=4&EIO=3", Protocol::V3),
            ("EIO=04", Protocol::V3),
            ("EIO=4.0", Protocol::V3),
            ("eio=4", Protocol::V3),
            ("", Protocol::V3),
        ] {
            assert_eq!(parse(text).protocol, protocol, "{text}");
        }
    }

    #[test]
    fn an_empty_sid_is_none_and_any_b64_counts() {
        assert_eq!(parse("sid=a&sid=").sid, None);
        assert_eq!(parse("sid=a").sid.as_deref(), Some("a"));
        assert!(parse("b64=0").is_base64);
        assert!(!parse("b64=").is_base64);
    }

    #[test]
    fn transports_are_matched_exactly() {
        assert_eq!(
            parse("transport=%70olling").transport,
            Some(Transport::Polling)
        );
        assert_eq!(
            parse("transport=websocket").transport,
            Some(Transport::WebSocket)
        );
        assert_eq!(parse("transport=WebSocket").transport, None);
        assert_eq!(parse("transport=webtransport").transport, None);
    }

    #[test]
    fn the_usual_beginning_says_what_it_says_anywhere() {
        for transport in ["polling", "websocket"] {
            for rest in [
                "",
                "&",
                "&sid=a",
                "&EIO=3",
                "&transport=websocket",
                "&transport=x&b64=1&j=2",
                "x",
                "%20",
                "=",
                "+",
            ] {
                let usual = format!("EIO=4&transport={transport}{rest}");
                assert_eq!(parse(&usual), parse(&format!("&{usual}")), "{usual}");
            }
        }
    }

    #[test]
    fn the_jsonp_index_keeps_only_digits() {
        assert_eq!(parse("j=abc12x").jsonp.as_deref(), Some("12"));
        assert_eq!(parse("j=").jsonp.as_deref(), Some(""));
        assert_eq!(parse("").jsonp, None);
    }
}
