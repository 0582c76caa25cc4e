use std::time::{Duration, SystemTime};

use crate::base::ready::now_or_never;
use crate::{
    AuthContext, Authenticator, Code, Credential, Grant, Outcome, Scopes, SourceKind, Subject,
    auth_fn,
    authorize::{
        Action, ActionKind, Authorizer, Capabilities, Decision, Holder, JoinClaims, JoinRequest,
        JoinTickets, Pattern, PatternError, ScopeMap, authorizer_fn, by_capabilities,
    },
};

fn emit(event: &str) -> Action<'_> {
    Action::Emit {
        event,
        args_count: 1,
    }
}

/// Whether the holder of a grant with these scopes may.
fn may(authorizer: &impl Authorizer<()>, scopes: &str, action: Action<'_>) -> bool {
    let grant = Grant::new((), "ann").with_scopes(Scopes::parse(scopes));
    authorizer
        .can(Holder::new(&(), Some(grant.facts())), action)
        .is_allowed()
}

#[test]
fn patterns_match_whole_segments() {
    for (pattern, fits, fits_not) in [
        ("a", &["a"][..], &["", "b", "a:b", "A"][..]),
        ("a:*", &["a:b", "a:"], &["a", "a:b:c", "b:b"]),
        ("*:b", &["a:b", ":b"], &["b", "a:c"]),
        ("a:**", &["a:b", "a:b:c", "a:"], &["a", "ab"]),
        ("**", &["", "a", "a:b"], &[]),
        ("", &[""], &["a"]),
    ] {
        let parsed = Pattern::parse(pattern).expect(pattern);
        for name in fits {
            assert!(parsed.matches(name), "{pattern} fits {name}");
        }
        for name in fits_not {
            assert!(!parsed.matches(name), "{pattern} does not fit {name}");
        }
    }
}

#[test]
fn patterns_are_bounded_and_stars_have_their_places() {
    assert!(Pattern::parse(&"a".repeat(256)).is_ok());
    let long = Pattern::parse(&"a".repeat(257));
    assert_eq!(long, Err(PatternError::TooLong));
    assert!(Pattern::parse(&["a"; 16].join(":")).is_ok());
    let deep = Pattern::parse(&["a"; 17].join(":"));
    assert_eq!(deep, Err(PatternError::TooManySegments));
    for misplaced in ["a*", "**:a", "***", "a:*b:c"] {
        let parsed = Pattern::parse(misplaced);
        assert_eq!(parsed, Err(PatternError::MisplacedStar), "{misplaced}");
    }
}

#[test]
fn the_first_fitting_rule_of_a_scope_map_decides() {
    let map = ScopeMap::builder()
        .emit("chat:delete", "chat:write chat:moderate")
        .emit("chat:*", "chat:write")
        .join("room:**", "")
        .build()
        .expect("valid");
    assert!(may(&map, "chat:write", emit("chat:message")));
    assert!(!may(&map, "chat:read", emit("chat:message")));
    assert!(!may(&map, "chat:write", emit("chat:delete")));
    assert!(may(&map, "chat:write chat:moderate", emit("chat:delete")));
    assert!(may(&map, "", Action::Join { room: "room:1:2" }));
}

#[test]
fn what_no_rule_names_is_denied() {
    let map = ScopeMap::builder().emit("a", "s").build().expect("valid");
    assert!(!may(&map, "s", emit("b")));
    assert!(!may(&map, "s", Action::Join { room: "a" }));
    assert!(!may(&map, "s", Action::Custom { name: "a" }));
    assert!(may(&map, "s", Action::Leave { room: "a" }));
    assert!(may(&map, "s", Action::Connect { namespace: "/" }));
    assert!(may(&map, "s", Action::Receive { event: "b" }));
    let map = ScopeMap::builder()
        .receive("a", "s")
        .connect("/a", "s")
        .build()
        .expect("valid");
    assert!(!may(&map, "s", Action::Receive { event: "b" }));
    assert!(may(&map, "s", Action::Receive { event: "a" }));
    assert!(!may(&map, "s", Action::Connect { namespace: "/" }));
}

#[test]
fn a_scope_map_refuses_bad_patterns_and_too_many() {
    let bad = ScopeMap::builder().emit("a*", "s").emit("b", "s").build();
    assert_eq!(bad.err(), Some(PatternError::MisplacedStar));
    let of = |count| (0..count).fold(ScopeMap::builder(), |map, _| map.emit("a", "s"));
    assert!(of(ScopeMap::MAX_RULES).build().is_ok());
    let many = of(ScopeMap::MAX_RULES + 1).build();
    assert_eq!(many.err(), Some(PatternError::TooManyPatterns));
}

#[test]
fn a_guest_has_no_scopes() {
    let map = ScopeMap::builder()
        .emit("a", "s")
        .emit("b", "")
        .build()
        .expect("valid");
    let guest = Holder::new(&(), None);
    assert_eq!(map.can(guest, emit("a")), Decision::Deny);
    assert_eq!(map.can(guest, emit("b")), Decision::Allow);
}

#[test]
fn capabilities_allow_what_they_name_and_nothing_else() {
    let cap = |json: &str| serde_json::from_str::<Capabilities>(json);
    let capabilities =
        cap(r#"{"room:42:*":["join","emit"],"news":["receive","fly"]}"#).expect("ok");
    let can = |action| {
        by_capabilities(|capabilities: &Capabilities| capabilities)
            .govern(ActionKind::Receive)
            .can(Holder::new(&capabilities, None), action)
            .is_allowed()
    };
    assert!(can(Action::Join { room: "room:42:a" }));
    assert!(!can(Action::Join { room: "room:43:a" }));
    assert!(!can(Action::Join { room: "news" }));
    assert!(can(emit("room:42:a")));
    assert!(!can(emit("news")));
    assert!(can(Action::Receive { event: "news" }));
    assert!(!can(Action::Receive { event: "other" }));
    assert!(!can(Action::Custom { name: "fly" }));
    assert!(can(Action::Leave { room: "any" }));
    assert!(can(Action::Connect { namespace: "/" }));
    assert!(cap(r#"{"a*":["emit"]}"#).is_err());
    assert!(cap(r#"{"a":"emit"}"#).is_err());
    let many = |count: usize| {
        let entries: Vec<_> = (0..count).map(|n| format!(r#""{n}":["emit"]"#)).collect();
        cap(&format!("{{{}}}", entries.join(",")))
    };
    assert!(many(64).is_ok());
    assert!(many(65).is_err());
}

#[test]
fn authorizers_combine() {
    let only = |event: &'static str| {
        authorizer_fn(move |_: Holder<'_, ()>, action| Decision::allow_if(action.object() == event))
    };
    let both = only("a").and(only("b"));
    let either = only("a").or(only("b"));
    assert!(!may(&both, "", emit("a")));
    assert!(may(&only("a").and(only("a")), "", emit("a")));
    assert!(may(&either, "", emit("a")) && may(&either, "", emit("b")));
    assert!(!may(&either, "", emit("c")));
}

#[test]
fn a_join_ticket_opens_one_room_to_one_socket_of_one_subject() {
    let tickets = JoinTickets::new(auth_fn(|_cx, ticket: Credential| async move {
        let mut claims = JoinClaims::new("room", "socket");
        if ticket.token().starts_with("any socket") {
            claims.socket = None;
        }
        if ticket.token().ends_with("of a") {
            claims.subject_issuer = Some("a".into());
        }
        let grant = Grant::new(claims, "ann").with_issuer("web");
        match ticket.token() {
            "bad" => Outcome::Reject(Code::InvalidToken.into()),
            "endless" => Outcome::Accept(grant),
            _ => Outcome::Accept(
                grant.with_expires_at(SystemTime::UNIX_EPOCH + Duration::from_secs(9)),
            ),
        }
    }));
    fn admit<A: Authenticator<Identity = JoinClaims>>(
        tickets: &JoinTickets<A>,
        (room, subject, socket): (&str, Option<&str>, &str),
        ticket: &str,
    ) -> Result<(), Code> {
        let subject = subject.map(|name| match name.split_once('@') {
            Some((id, issuer)) => Subject::new(id).with_issuer(issuer),
            None => Subject::new(name),
        });
        let request = JoinRequest {
            room,
            subject: subject.as_ref(),
            socket,
        };
        let ticket = Credential::new(ticket, SourceKind::Event);
        now_or_never(tickets.admit(&AuthContext::new("/"), request, &ticket))
            .expect("does not wait")
            .map(drop)
            .map_err(|rejection| rejection.code())
    }
    let fitting = ("room", Some("ann"), "socket");
    let denied = Err(Code::InsufficientScope);
    assert_eq!(admit(&tickets, fitting, "good"), Ok(()));
    assert_eq!(admit(&tickets, fitting, "bad"), Err(Code::InvalidToken));
    assert_eq!(admit(&tickets, fitting, "endless"), denied);
    assert_eq!(admit(&tickets, fitting, "any socket"), denied);
    for unfitting in [
        ("other", Some("ann"), "socket"),
        ("room", Some("bob"), "socket"),
        ("room", None, "socket"),
        ("room", Some("ann"), "other"),
    ] {
        assert_eq!(admit(&tickets, unfitting, "good"), denied, "{unfitting:?}");
    }
    for (ticket, subject, is_admitted) in [
        ("good", "ann@a", true),
        ("good of a", "ann@a", true),
        ("good of a", "ann@b", false),
        ("good of a", "ann", false),
    ] {
        let expected = if is_admitted { Ok(()) } else { denied };
        let request = ("room", Some(subject), "socket");
        assert_eq!(admit(&tickets, request, ticket), expected, "{subject}");
    }
    let tickets = tickets.allow_any_socket();
    for (ticket, subject, is_admitted) in [
        ("any socket", "ann@web", true),
        ("any socket", "ann@a", false),
        ("any socket", "ann", false),
        ("any socket of a", "ann@a", true),
        ("any socket of a", "ann@b", false),
    ] {
        let expected = if is_admitted { Ok(()) } else { denied };
        let request = ("room", Some(subject), "socket");
        assert_eq!(admit(&tickets, request, ticket), expected, "{subject}");
    }
    let other_socket = ("room", Some("ann"), "other");
    assert_eq!(admit(&tickets, other_socket, "good"), denied);
}
