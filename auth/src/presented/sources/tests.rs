use std::net::SocketAddr;

use serde_json::json;

use super::*;
use crate::server::RequestSource;

#[derive(Default)]
struct Request {
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

impl RequestSource for Request {
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8])) {
        for (key, value) in &self.headers {
            if key.eq_ignore_ascii_case(name) {
                found(value.as_bytes());
            }
        }
    }
    fn query(&self, name: &str, found: &mut dyn FnMut(&str)) {
        for (key, value) in &self.query {
            if *key == name {
                found(value);
            }
        }
    }
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

fn with_headers(headers: &[(&'static str, &'static str)]) -> Request {
    Request {
        headers: headers.to_vec(),
        ..Request::default()
    }
}

fn run(
    source: &impl CredentialSource,
    request: &Request,
    payload: Option<&serde_json::Value>,
) -> String {
    match source.extract(&HandshakeView::new(request).with_payload(payload)) {
        Extract::Found(credential) => format!("{:?}={}", credential.source(), credential.token()),
        Extract::Absent => "absent".into(),
        Extract::ForeignScheme => "foreign".into(),
        Extract::Malformed(code) => code.as_str().into(),
    }
}

#[test]
fn the_payload_field_takes_strings_only() {
    for (payload, expected) in [
        (json!({"token": "abc"}), "Payload=abc"),
        (json!({"token": "Bearer abc"}), "Payload=abc"),
        (json!({"token": "bEARER  abc"}), "Payload=abc"),
        (json!({"token": ""}), "absent"),
        (json!({"token": null}), "absent"),
        (json!({}), "absent"),
        (json!("token"), "absent"),
        (json!([1]), "absent"),
        (json!({"token": 5}), "credentials_bad_format"),
        (json!({"token": ["abc"]}), "credentials_bad_format"),
        (json!({"token": {"a": 1}}), "credentials_bad_format"),
        (json!({"token": "Bearer"}), "credentials_bad_format"),
        (json!({"token": "a b c"}), "credentials_bad_format"),
    ] {
        let seen = run(&AuthField("token"), &Request::default(), Some(&payload));
        assert_eq!(seen, expected, "{payload}");
    }
}

#[test]
fn the_authorization_header_is_bearer_in_any_case() {
    for (value, expected) in [
        ("Bearer abc", "Authorization=abc"),
        ("bearer abc", "Authorization=abc"),
        ("Basic dTpw", "foreign"),
        ("Bearer ", "credentials_bad_format"),
        ("Bearer a b", "credentials_bad_format"),
        ("abc", "credentials_bad_format"),
        ("Bearer caf\u{e9}", "credentials_bad_format"),
        ("", "absent"),
    ] {
        let request = with_headers(&[("Authorization", value)]);
        assert_eq!(run(&BearerHeader, &request, None), expected, "{value}");
    }
    assert_eq!(run(&BearerHeader, &Request::default(), None), "absent");
}

#[test]
fn two_different_credentials_are_ambiguous_and_two_equal_ones_are_one() {
    let sources = AuthField("token").or(BearerHeader).or(Query("token"));
    let mut request = with_headers(&[("authorization", "Bearer abc")]);
    let (same, other) = (json!({"token": "abc"}), json!({"token": "xyz"}));
    assert_eq!(run(&sources, &request, Some(&same)), "Payload=abc");
    assert_eq!(
        run(&sources, &request, Some(&other)),
        "ambiguous_credentials"
    );
    request.query.push(("token", "xyz"));
    assert_eq!(
        run(&sources, &request, Some(&same)),
        "ambiguous_credentials"
    );
}

#[test]
fn every_occurrence_of_a_header_or_parameter_counts() {
    let request = with_headers(&[("x-auth-token", "a"), ("X-Auth-Token", "b")]);
    let seen = run(&Header("x-auth-token"), &request, None);
    assert_eq!(seen, "ambiguous_credentials");
    let mut request = Request {
        query: vec![("token", "a"), ("token", "a")],
        ..Request::default()
    };
    assert_eq!(run(&Query("token"), &request, None), "Query=a");
    request.query.push(("token", "b"));
    assert_eq!(
        run(&Query("token"), &request, None),
        "ambiguous_credentials"
    );
}

#[test]
fn a_foreign_scheme_yields_to_another_source_and_a_malformed_one_does_not() {
    let sources = AuthField("token").or(BearerHeader);
    let token = json!({"token": "abc"});
    let basic = with_headers(&[("authorization", "Basic dTpw")]);
    assert_eq!(run(&sources, &basic, Some(&token)), "Payload=abc");
    assert_eq!(run(&sources, &basic, None), "foreign");
    let bad = with_headers(&[("authorization", "Bearer")]);
    assert_eq!(run(&sources, &bad, Some(&token)), "credentials_bad_format");
}

#[test]
fn a_cookie_counts_without_an_origin_and_with_a_listed_one_only() {
    let cookie = Cookie::new("sid", CookieOrigins::new(["https://app.example"]));
    let found = "Cookie=abc";
    for (headers, expected) in [
        (vec![("cookie", "a=1; sid=abc")], found),
        (
            vec![("cookie", "sid=\"abc\""), ("origin", "HTTPS://app.example")],
            found,
        ),
        (
            vec![("cookie", "sid=abc"), ("origin", "https://evil.example")],
            "origin_not_allowed",
        ),
        (
            vec![("cookie", "sid=abc"), ("origin", "null")],
            "origin_not_allowed",
        ),
        (
            vec![
                ("cookie", "sid=abc"),
                ("origin", "https://app.example.evil.example"),
            ],
            "origin_not_allowed",
        ),
        (
            vec![
                ("cookie", "xsid=abc; sid2=d"),
                ("origin", "https://evil.example"),
            ],
            "absent",
        ),
        (vec![("cookie", "sid=a; sid=b")], "ambiguous_credentials"),
        (vec![("cookie", "sid=")], "absent"),
    ] {
        let seen = run(&cookie, &with_headers(&headers), None);
        assert_eq!(seen, expected, "{headers:?}");
    }
}

#[test]
fn merging_does_not_depend_on_the_order() {
    let all = || {
        [
            Extract::Absent,
            Extract::ForeignScheme,
            Extract::Found(Credential::new("a", SourceKind::Query)),
            Extract::Found(Credential::new("b", SourceKind::Query)),
            Extract::Malformed(Code::AmbiguousCredentials),
            Extract::Malformed(Code::CredentialsBadFormat),
            Extract::Malformed(Code::OriginNotAllowed),
        ]
    };
    let show = |extract: Extract| match extract {
        Extract::Found(credential) => credential.token().to_owned(),
        other => format!("{other:?}"),
    };
    for a in all() {
        for b in all() {
            let (left, right) = (a.clone().merge(b.clone()), b.clone().merge(a.clone()));
            assert_eq!(show(left), show(right));
        }
    }
}

#[test]
fn a_policy_of_the_header_alone_names_the_header() {
    assert_eq!(
        BearerHeader.missing_code(),
        Code::MissingAuthorizationHeader
    );
    let both = BearerHeader.or(AuthField("token"));
    assert_eq!(both.missing_code(), Code::CredentialsRequired);
}

#[test]
fn a_confined_source_finds_nothing_outside_its_places() {
    let cookie = Cookie::new("token", CookieOrigins::new([""; 0]));
    let sources: [Box<dyn CredentialSource>; 6] = [
        Box::new(AuthField("token")),
        Box::new(BearerHeader),
        Box::new(Header("x-token")),
        Box::new(Query("token")),
        Box::new(cookie),
        Box::new(BearerHeader.or(Header("x-token"))),
    ];
    for (index, source) in sources.iter().enumerate() {
        assert!(source.is_confined(), "{index}");
        let mut request = Request {
            headers: vec![
                ("authorization", "Bearer a"),
                ("x-token", "a"),
                ("cookie", "token=a"),
                ("origin", "https://evil.example"),
            ],
            query: vec![("token", "a")],
        };
        source.places(&mut |place| match place {
            Place::Header(name) => request.headers.retain(|(known, _)| *known != name),
            Place::Query(name) => request.query.retain(|(known, _)| *known != name),
        });
        let found = source.extract(&HandshakeView::new(&request));
        assert!(matches!(found, Extract::Absent), "{index}: {found:?}");
    }
    struct Own;
    impl CredentialSource for Own {
        fn extract(&self, _: &HandshakeView<'_>) -> Extract {
            Extract::Absent
        }
    }
    assert!(!Own.or(BearerHeader).is_confined());
    assert!(!BearerHeader.or(Own).is_confined());
}
