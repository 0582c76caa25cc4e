//! The guide's table of identity: what becomes of everything that hangs on who somebody is, at each event. Every cell is
//! brought about here and compared with what the guide says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Log;
use super::auth::{User, wall_clock};
use super::auth_binding::request;
use crate::auth::authorize::{
    Action, Decision, Holder, JoinClaims, JoinRequest, JoinTickets, authorizer_fn,
};
use crate::auth::revocation::{MemoryRevocations, Revocation};
use crate::auth::{
    AuthContext, AuthEvent, AuthField, Authenticator as _, BearerHeader, Credential,
    CredentialSource as _, Grant, InHandshake, Inherit, OnExpiry, Outcome, SourceKind, auth_fn,
};
use crate::testing::TestClient;
use crate::tests::sid_of;
use crate::{Namespace, Socket, SocketIo};

/// The words behind it explain the cells.
const GUIDE: &str = include_str!("../guide/identity.md");

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Login,
    Renewal,
    Switch,
    Downgrade,
    Expiry,
    RevokedLive,
    RevokedPending,
    RevokedVerifying,
    RevokedAway,
    Recovery,
    Inheriting,
    InheritedRenewal,
    InheritedSwitch,
    InheritedRevoked,
}

/// Each with its name in the guide, and who it is before and after.
const EVENTS: [(Event, &str, &str, &str); 14] = [
    (Event::Login, "a guest logs in", "guest", "ann"),
    (Event::Renewal, "renewal", "ann", "ann"),
    (Event::Switch, "switch", "ann", "bob"),
    (Event::Downgrade, "downgrade", "ann", "guest"),
    (Event::Expiry, "expiry", "ann", "ann"),
    (Event::RevokedLive, "revoked, live", "ann", "ann"),
    (Event::RevokedPending, "revoked, pending", "nobody", "ann"),
    (
        Event::RevokedVerifying,
        "revoked, verifying",
        "nobody",
        "ann",
    ),
    (Event::RevokedAway, "revoked, away", "ann", "ann"),
    (Event::Recovery, "recovery", "ann", "ann"),
    (Event::Inheriting, "a namespace inherits", "nobody", "ann"),
    (Event::InheritedRenewal, "inherited, renewal", "ann", "ann"),
    (Event::InheritedSwitch, "inherited, switch", "ann", "bob"),
    (Event::InheritedRevoked, "inherited, revoked", "ann", "ann"),
];

impl Event {
    const fn is_inherited(self) -> bool {
        matches!(
            self,
            Self::Inheriting
                | Self::InheritedRenewal
                | Self::InheritedSwitch
                | Self::InheritedRevoked
        )
    }

    fn names(self) -> (&'static str, &'static str) {
        let (_, _, before, after) = EVENTS.into_iter().find(|of| of.0 == self).unwrap();
        (before, after)
    }
}

/// A client by WebSocket, or by long-polling where its requests matter.
enum Link {
    WebSocket(TestClient),
    Polling { sid: String, headers: Headers },
}

type Headers = Vec<(&'static str, String)>;

/// A server, a client of it, and what they were seen to do.
struct World {
    event: Event,
    io: SocketIo<User>,
    space: Namespace<User>,
    list: Arc<MemoryRevocations>,
    log: Log,
    /// The last handle that the application saw.
    seen: Arc<Mutex<Option<Socket<User>>>>,
    link: Link,
    /// The private session id, and the place in the log, with which a client comes back.
    claim: Option<(String, String)>,
    first_id: String,
}

/// `NAME:SECONDS:SESSION`, and `slow:` in front for one that is judged after a second.
fn tokens() -> impl crate::auth::Authenticator<Identity = User> {
    auth_fn(|_: AuthContext, credential: Credential| async move {
        let token = credential.token();
        let token = match token.strip_prefix("slow:") {
            Some(token) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                token
            }
            None => token,
        };
        let parts: Vec<&str> = token.split(':').collect();
        let &[name, seconds, session] = &parts[..] else {
            return Outcome::NotMine;
        };
        let life = Duration::from_secs(seconds.parse().unwrap());
        let grant = Grant::new(User(name.to_owned()), name).with_session_id(session);
        Outcome::Accept(grant.with_expires_at(wall_clock() + life))
    })
}

impl World {
    async fn new(event: Event, is_polling: bool) -> Self {
        let (log, list, seen) = (
            Log::default(),
            Arc::<MemoryRevocations>::default(),
            Arc::default(),
        );
        let (asked, books) = (log.clone(), log.clone());
        let policy = InHandshake::new(tokens().with_revocation(Arc::clone(&list)))
            .sources(AuthField("token").or(BearerHeader))
            .guest(|| User("guest".into()))
            .on_expiry(match event {
                Event::Downgrade => OnExpiry::Downgrade,
                _ => OnExpiry::ReconnectTransport,
            })
            .authorize(authorizer_fn(
                move |holder: Holder<'_, User>, action: Action<'_>| {
                    if action.object() == "probe" {
                        let session = holder.grant().and_then(|grant| grant.session_id());
                        let session = session.unwrap_or("none");
                        asked.add(format!("may {} of {session}", holder.identity().0));
                    }
                    Decision::Allow
                },
            ))
            .settings(|settings| {
                settings.allow_switch = true;
                settings.inherit = Inherit::SameSubject;
                settings.min_renewal_interval = Duration::ZERO;
            });
        let io = SocketIo::builder()
            .recovery(|defaults| defaults)
            .audit(move |event: &AuthEvent<'_>| books.add(format!("audit {}", event.kind.as_str())))
            .authenticate(policy)
            .build()
            .unwrap();
        let is_slow = event == Event::RevokedPending;
        let open = |name: &str| opened(&io, name, &log, &seen, is_slow);
        let (root, heir) = (open("/"), open("/heir"));
        let space = if event.is_inherited() { heir } else { root };
        let opening = match event {
            Event::Login => None,
            Event::Downgrade | Event::Expiry => Some("ann:5:s1"),
            Event::RevokedVerifying => Some("slow:ann:600:s1"),
            _ => Some("ann:600:s1"),
        };
        let mut world = Self {
            event,
            link: Link::WebSocket(TestClient::open(&io).await),
            io,
            space,
            list,
            log,
            seen,
            claim: None,
            first_id: String::new(),
        };
        world.come_in(opening, is_polling).await;
        world.log.take();
        world
    }

    /// Everything before the event.
    async fn come_in(&mut self, opening: Option<&str>, is_polling: bool) {
        let bearer = opening.map(|token| ("authorization", format!("Bearer {token}")));
        if is_polling {
            // What an heir inherits has to be presented elsewhere than in each request.
            let headers: Headers = bearer
                .filter(|_| !self.event.is_inherited())
                .into_iter()
                .collect();
            self.link = Link::open(&self.io, headers).await;
        }
        if matches!(self.event, Event::RevokedPending | Event::RevokedVerifying) {
            return;
        }
        self.connect("", opening).await;
        self.learn().await;
        if self.event.is_inherited() && self.event != Event::Inheriting {
            self.connect("/heir,", None).await;
            self.learn().await;
        }
        for socket in self.space.sockets() {
            socket.join("own").unwrap();
        }
    }

    async fn connect(&mut self, prefix: &str, token: Option<&str>) {
        let payload = token.map(|token| format!(r#"{{"token":"{token}"}}"#));
        self.say(&format!("40{prefix}{}", payload.unwrap_or_default()))
            .await;
    }

    /// Reads the answer to a CONNECT, and an event for its place in the log.
    async fn learn(&mut self) {
        let Link::WebSocket(client) = &mut self.link else {
            return;
        };
        let reply = client.next_text().await;
        assert!(reply.starts_with("40"), "{reply}");
        if reply.starts_with("40/heir") != self.event.is_inherited() {
            return;
        }
        self.first_id = sid_of(&reply);
        self.space.emit("heard", &()).unwrap();
        let heard = client.next_text().await;
        let pid = reply.split(r#""pid":""#).nth(1).unwrap();
        let pid = pid.split('"').next().unwrap();
        let offset = heard.split('"').nth(3).unwrap();
        self.claim = Some((pid.to_owned(), offset.to_owned()));
    }

    /// Says something and lets everything follow.
    async fn say(&mut self, packet: &str) {
        match &mut self.link {
            Link::WebSocket(client) => client.send(packet).await,
            Link::Polling { sid, headers } => {
                let headers: Vec<_> = headers
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                let _ = request(&self.io.service(), sid, packet, &headers).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn authenticate(&mut self, token: &str) {
        self.say(&format!(r#"42["authenticate",{{"token":"{token}"}}]"#))
            .await;
    }

    async fn happen(&mut self) {
        let revoke = |world: &Self| {
            let revoked = Revocation::session("s1");
            world.list.revoke(&revoked).unwrap();
        };
        match self.event {
            Event::Login | Event::Renewal | Event::InheritedRenewal => {
                self.authenticate("ann:600:s2").await;
            }
            Event::Switch | Event::InheritedSwitch => self.authenticate("bob:600:s2").await,
            Event::Downgrade | Event::Expiry => tokio::time::sleep(Duration::from_secs(6)).await,
            Event::RevokedLive | Event::InheritedRevoked => revoke(self),
            Event::RevokedPending => {
                self.connect("", Some("ann:600:s1")).await;
                revoke(self);
            }
            Event::RevokedVerifying => {
                self.connect("", Some("slow:ann:600:s1")).await;
                revoke(self);
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            Event::RevokedAway => {
                self.go_away().await;
                revoke(self);
                self.come_back("ann:600:s2").await;
            }
            Event::Recovery => {
                self.go_away().await;
                self.come_back("ann:600:s2").await;
            }
            Event::Inheriting => self.connect("/heir,", None).await,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn go_away(&mut self) {
        self.link = match &self.link {
            Link::WebSocket(_) => Link::WebSocket(TestClient::open(&self.io).await),
            Link::Polling { .. } => {
                self.say("1").await;
                Link::open(
                    &self.io,
                    vec![("authorization", "Bearer ann:600:s2".to_owned())],
                )
                .await
            }
        };
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.log.take();
    }

    /// With the claim of who lost its connection, and the token of another login.
    async fn come_back(&mut self, token: &str) {
        let prefix = if self.event.is_inherited() {
            "/heir,"
        } else {
            ""
        };
        let (pid, offset) = self.claim.clone().unwrap_or_default();
        let token = match token {
            "" => String::new(),
            token => format!(r#""token":"{token}","#),
        };
        self.say(&format!(
            r#"40{prefix}{{{token}"pid":"{pid}","offset":"{offset}"}}"#
        ))
        .await;
    }

    fn socket(&self) -> Option<Socket<User>> {
        self.space.sockets().pop()
    }

    /// The words of the log with this one in front.
    fn logged(&self, kind: &str) -> Vec<String> {
        let lines = self.log.0.lock().unwrap().clone();
        let words = lines.iter().filter_map(|line| line.strip_prefix(kind));
        words.map(|word| word.trim().to_owned()).collect()
    }
}

impl Link {
    async fn open(io: &SocketIo<User>, headers: Headers) -> Self {
        let shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let (_, opening) = request(&io.service(), "", "", &shown).await;
        let sid = opening.split('"').nth(3).unwrap().to_owned();
        Self::Polling { sid, headers }
    }
}

/// A namespace that logs whom its middleware and its hooks see.
fn opened(
    io: &SocketIo<User>,
    name: &str,
    log: &Log,
    seen: &Arc<Mutex<Option<Socket<User>>>>,
    is_slow: bool,
) -> Namespace<User> {
    let is_heir = name == "/heir";
    let (asked, connected, changed, left) = (log.clone(), log.clone(), log.clone(), log.clone());
    let (seen, shown) = (Arc::clone(seen), Arc::clone(seen));
    io.namespace(name)
        .on("probe", |_, (): ()| async {})
        .middleware(move |socket: Socket<User>| {
            asked.add(format!(
                "{} {}",
                if is_heir { "asked heir" } else { "asked" },
                socket.data().0
            ));
            *seen.lock().unwrap() = Some(socket);
            async move {
                tokio::time::sleep(Duration::from_secs(u64::from(is_slow))).await;
                Ok(())
            }
        })
        .on_connect(move |socket: Socket<User>| {
            connected.add("hook connect");
            *shown.lock().unwrap() = Some(socket);
            async {}
        })
        .on_identity_change(move |_: Socket<User>, change| {
            changed.add(format!("hook {:?}", change.kind));
            async {}
        })
        .on_disconnect(move |_, _| {
            left.add("hook disconnect");
            async {}
        })
        .open()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_cell_of_the_guides_table_is_as_it_says() {
    let mut rows = Vec::new();
    for (event, name, ..) in EVENTS {
        let cells = [
            rooms(event).await,
            middleware(event).await,
            authorizer(event).await,
            hooks(event).await,
            data(event).await,
            session(event).await,
            recovery(event).await,
            audit(event).await,
            index(event).await,
            tickets(event).await,
        ];
        rows.push(format!("| {name} | {} |", cells.join(" | ")));
    }
    let (table, _) = GUIDE.split_once("\nThe events: ").unwrap();
    let said: Vec<&str> = table
        .lines()
        .filter(|line| {
            EVENTS
                .iter()
                .any(|of| line.starts_with(&format!("| {} |", of.1)))
        })
        .collect();
    assert_eq!(said, rows, "\n{}\n", rows.join("\n"));
}

async fn after(event: Event) -> World {
    let mut world = World::new(event, false).await;
    world.happen().await;
    world
}

async fn rooms(event: Event) -> String {
    let world = after(event).await;
    let Some(socket) = world.socket() else {
        return "out".into();
    };
    let is_there = socket.rooms().iter().any(|room| room.as_str() == "own");
    match (event, is_there) {
        (Event::Recovery, true) => "restored",
        (Event::RevokedAway | Event::Inheriting, false) => "none",
        (_, true) => "kept",
        (_, false) => "left",
    }
    .into()
}

async fn middleware(event: Event) -> String {
    let world = after(event).await;
    let prefix = if event.is_inherited() {
        "asked heir"
    } else {
        "asked"
    };
    match world.logged(prefix).as_slice() {
        [] => "not asked".into(),
        [name] => {
            assert_eq!(name, event.names().1);
            "asked".into()
        }
        more => panic!("{event:?}: {more:?}"),
    }
}

async fn authorizer(event: Event) -> String {
    let mut world = after(event).await;
    if world.socket().is_none() {
        // Whoever is out is not asked about.
        world.say(r#"42["probe"]"#).await;
        assert!(world.logged("may").is_empty(), "{event:?}");
        return "out".into();
    }
    let prefix = if event.is_inherited() { "/heir," } else { "" };
    world.say(&format!(r#"42{prefix}["probe"]"#)).await;
    let (_, name) = event.names();
    let asked = world.logged("may");
    let [told] = asked.as_slice() else {
        panic!("{event:?}: {asked:?}")
    };
    match told.strip_prefix(name).unwrap() {
        " of s2" => "by the new grant",
        " of s1" if event == Event::Inheriting => "by that grant",
        " of none" => "as a guest",
        other => panic!("{event:?}: {other}"),
    }
    .into()
}

async fn hooks(event: Event) -> String {
    let world = after(event).await;
    let hooks = world.logged("hook");
    match hooks.as_slice() {
        [] => "none".into(),
        [one] => format!("`{one}`"),
        // Both namespaces hear of it, in whatever order.
        [one, other] if one == other => format!("`{one}`"),
        more => panic!("{event:?}: {more:?}"),
    }
}

async fn data(event: Event) -> String {
    let world = after(event).await;
    let seen = world.seen.lock().unwrap().clone();
    let Some(socket) = seen else {
        return "none".into();
    };
    let (_, after) = event.names();
    assert_eq!(socket.data().0, after, "{event:?}");
    match socket.is_connected() {
        true => "the new".into(),
        false => "stays readable".into(),
    }
}

async fn session(event: Event) -> String {
    let mut world = World::new(event, true).await;
    world.happen().await;
    let Link::Polling { sid, headers } = &world.link else {
        panic!("by polling")
    };
    // The client hears what there is to hear, its end included.
    // Not past that: a poll that waits stays the only one, and is not given up.
    let service = world.io.service();
    let shown: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let mut waiting = None;
    for _ in 0..4 {
        let mut poll = Box::pin(request(&service, sid, "", &shown));
        let heard = tokio::time::timeout(Duration::from_millis(10), poll.as_mut()).await;
        if heard.is_err() {
            waiting = Some(poll);
            break;
        }
    }
    let mut admitted = Vec::new();
    let opening = headers.first().map(|(_, value)| value.clone());
    for who in [
        opening.unwrap_or_default(),
        "Bearer bob:600:s2".into(),
        "Bearer eve:600:s3".into(),
    ] {
        let shown = [("authorization", who.as_str())];
        let shown = if who.is_empty() { &[][..] } else { &shown };
        let (status, _) = request(&service, sid, "3", shown).await;
        admitted.push(status == 200);
    }
    drop(waiting);
    match admitted.as_slice() {
        [true, false, false] => "of the opening request",
        [true, true, true] => "of nobody",
        [false, false, false] => "ended",
        other => panic!("{event:?}: {other:?}"),
    }
    .into()
}

async fn recovery(event: Event) -> String {
    let (before, after_) = event.names();
    let mut owners = Vec::new();
    for who in [before, after_, "eve", "guest"] {
        let mut world = after(event).await;
        if world.claim.is_none() || world.first_id.is_empty() {
            // Who was never in, or came in by the event, has a claim of its own from then on.
            return "from its own CONNECT".into();
        }
        let id = world.first_id.clone();
        world.link = Link::WebSocket(TestClient::open(&world.io).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let token = match who {
            "guest" => String::new(),
            who => format!("{who}:600:s4"),
        };
        world.come_back(&token).await;
        if world
            .socket()
            .is_some_and(|socket| socket.id().as_str() == id)
        {
            owners.push(who);
        }
    }
    owners.dedup();
    match owners.as_slice() {
        [] => "forgotten".into(),
        [one] if *one == after_ => "of the new".into(),
        other => format!("{other:?}"),
    }
}

async fn audit(event: Event) -> String {
    let world = after(event).await;
    let mut told = world.logged("audit");
    told.retain(|kind| !matches!(kind.as_str(), "attempt" | "expiring"));
    told.dedup();
    let told: Vec<_> = told.iter().map(|kind| format!("`{kind}`")).collect();
    match told.as_slice() {
        [] => "nothing".into(),
        told => told.join(", "),
    }
}

async fn index(event: Event) -> String {
    let mut found = Vec::new();
    for session in ["s1", "s2"] {
        let world = after(event).await;
        let is_there = world.socket().is_some();
        world.io.auth().kick(&Revocation::session(session));
        tokio::time::sleep(Duration::from_millis(10)).await;
        found.push(is_there && world.socket().is_none());
    }
    let world = after(event).await;
    match (found.as_slice(), world.socket().is_some()) {
        ([false, true], _) => "by the new grant",
        ([true, false], _) if event == Event::Inheriting => "by that grant",
        ([false, false], true) => "by none",
        ([false, false], false) => "out",
        other => panic!("{event:?}: {other:?}"),
    }
    .into()
}

async fn tickets(event: Event) -> String {
    let world = after(event).await;
    let Some(socket) = world.socket() else {
        return "out".into();
    };
    let (before, after) = event.names();
    let subject = socket.subject();
    let id = socket.id().to_string();
    let mut admitted = Vec::new();
    for owner in [before, after, "eve"] {
        let socket = id.clone();
        let judge = auth_fn(move |_: AuthContext, _: Credential| {
            let claims = JoinClaims::new("room", socket.clone());
            let grant = Grant::new(claims, owner);
            async move { Outcome::Accept(grant.with_expires_at(wall_clock())) }
        });
        let request = JoinRequest {
            room: "room",
            subject: subject.as_ref(),
            socket: &id,
        };
        let ticket = Credential::new("ticket", SourceKind::Event);
        let told = JoinTickets::new(judge)
            .admit(&AuthContext::new("/"), request, &ticket)
            .await;
        if told.is_ok() {
            admitted.push(owner);
        }
    }
    admitted.dedup();
    match admitted.as_slice() {
        [] => "none".into(),
        [one] if *one == after => "of the new".into(),
        other => panic!("{event:?}: {other:?}"),
    }
}
