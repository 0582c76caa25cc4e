use std::time::Duration;

use crate::auth::{
    AuthContext, Credential, Grant, InHandshake, Outcome, TwoRoundTrip, auth_fn,
    authorize::{Action, Decision, Holder, authorizer_fn},
    revocation::Revocation,
};
use crate::testing::{Received, TestClient};
use crate::tests::auth::{REFUSED, User, token, users};
use crate::tests::sid_of;
use crate::{Namespace, Room, Socket, SocketIo};

//= SIO5-CSR-09 test
#[tokio::test(start_paused = true)]
async fn row_25_only_the_same_subject_gets_back_what_it_may_still_have() {
    let policy = InHandshake::new(users()).authorize(authorizer_fn(
        |_: Holder<'_, User>, action: Action<'_>| {
            Decision::allow_if(match action {
                Action::Receive { event } => event != "secret",
                Action::Join { room } => room != "closed",
                _ => true,
            })
        },
    ));
    let io = SocketIo::builder()
        .authenticate(policy)
        .recovery(|defaults| defaults)
        .build()
        .unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    let reply = client.join_with("/", &token("user:ann")).await;
    let id = sid_of(&reply);
    space.emit("first", &()).unwrap();
    let first = client.next_text().await;
    let offset = first.split('"').nth(3).unwrap().to_owned();
    let pid = reply.split('"').nth(7).unwrap().to_owned();
    let socket = space.socket(&id).unwrap();
    socket.join("open").unwrap();
    socket.join("closed").unwrap();
    drop(client);
    while space.socket(&id).is_some() {
        tokio::task::yield_now().await;
    }
    space.emit("secret", &()).unwrap();
    space.to("closed").emit("closed", &()).unwrap();
    space.to("open").emit("missed", &()).unwrap();
    let claim = |token: &str| format!(r#"{{"token":"{token}","pid":"{pid}","offset":"{offset}"}}"#);
    let mut refused = TestClient::open(&io).await;
    let answer = refused.join_with("/", &claim("bad")).await;
    assert_eq!(answer, format!("44{REFUSED}"));
    let mut expired = TestClient::open(&io).await;
    let answer = expired.join_with("/", &claim("user:ann:0")).await;
    assert!(
        answer.starts_with("44") && answer.contains("token_expired"),
        "{answer}"
    );
    let mut nobody = TestClient::open(&io).await;
    let bare = format!(r#"{{"pid":"{pid}","offset":"{offset}"}}"#);
    let answer = nobody.join_with("/", &bare).await;
    assert!(
        answer.starts_with("44") && answer.contains("credentials_required"),
        "{answer}"
    );
    let mut other = TestClient::open(&io).await;
    let answer = other.join_with("/", &claim("user:eve")).await;
    assert!(
        answer.starts_with("40") && sid_of(&answer) != id,
        "{answer}"
    );
    let mut namesake = TestClient::open(&io).await;
    let answer = namesake.join_with("/", &claim("user:ann::idp")).await;
    assert!(
        answer.starts_with("40") && sid_of(&answer) != id,
        "{answer}"
    );
    let mut owner = TestClient::open(&io).await;
    let missed = owner.join_with("/", &claim("user:ann")).await;
    assert!(missed.starts_with(r#"42["missed","#), "{missed}");
    assert_eq!(sid_of(&owner.next_text().await), id);
    let socket = space.socket(&id).unwrap();
    assert_eq!(socket.data().0, "ann");
    assert_eq!(socket.rooms(), [Room::from("open")]);
}

/// A client that was in by its first login and has lost its connection.
struct Lost {
    id: String,
    /// What it says to come back, by its second login.
    claim: String,
}

/// Ann comes in, hears an event, and loses her connection.
async fn lose(io: &SocketIo<User>, space: &Namespace<User>) -> Lost {
    let mut client = TestClient::open(io).await;
    let reply = client.join_with("/", &token("first")).await;
    let id = sid_of(&reply);
    space.emit("heard", &()).unwrap();
    let heard = client.next_text().await;
    let offset = heard.split('"').nth(3).unwrap();
    let pid = reply.split('"').nth(7).unwrap();
    let claim = format!(r#"{{"token":"second","pid":"{pid}","offset":"{offset}"}}"#);
    drop(client);
    while space.socket(&id).is_some() {
        tokio::task::yield_now().await;
    }
    Lost { id, claim }
}

/// Every token is a login of ann.
fn logins() -> SocketIo<User> {
    let ann = auth_fn(|_: AuthContext, credential: Credential| async move {
        let grant = Grant::new(User("ann".to_owned()), "ann");
        Outcome::Accept(grant.with_session_id(credential.token()))
    });
    let io = SocketIo::builder().authenticate(InHandshake::new(ann));
    let io = io.recovery(|defaults| defaults.skip_middleware(false));
    io.build().unwrap()
}

fn first_login() -> Revocation {
    Revocation::session("first")
}

#[tokio::test(start_paused = true)]
async fn a_revocation_reaches_a_client_that_is_away_and_a_margin_lets_it_renew() {
    let io = logins();
    let space = io.namespace("/").open().unwrap();
    for is_kicked in [true, false] {
        let lost = lose(&io, &space).await;
        let ended = match is_kicked {
            true => io.auth().kick(&first_login()),
            false => io.auth().expire_in(&first_login(), Duration::from_secs(1)),
        };
        assert_eq!(ended, 0, "nobody is there");
        let mut client = TestClient::open(&io).await;
        let reply = client.join_with("/", &lost.claim).await;
        assert_eq!(sid_of(&reply) != lost.id, is_kicked, "{reply}");
        client.send("41").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_revocation_reaches_a_client_whose_connection_is_being_lost() {
    let io = logins();
    let kicker = io.clone();
    let space = io
        .namespace("/")
        .on_disconnecting(move |_, _| assert_eq!(kicker.auth().kick(&first_login()), 1))
        .open()
        .unwrap();
    let lost = lose(&io, &space).await;
    let mut client = TestClient::open(&io).await;
    let reply = client.join_with("/", &lost.claim).await;
    assert_ne!(sid_of(&reply), lost.id);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_reaches_what_a_client_is_about_to_get_back() {
    let io = logins();
    let kicker = io.clone();
    let space = io
        .namespace("/")
        .middleware(move |socket: Socket<User>| {
            if socket.is_recovered() {
                kicker.auth().kick(&first_login());
            }
            async { Ok(()) }
        })
        .open()
        .unwrap();
    let lost = lose(&io, &space).await;
    space.emit("missed", &()).unwrap();
    let mut client = TestClient::open(&io).await;
    client.send(&format!("40{}", lost.claim)).await;
    let received = client.next().await;
    assert!(matches!(received, Received::Closed), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn two_round_trips_have_no_recovery() {
    let io = SocketIo::builder()
        .recovery(|defaults| defaults)
        .build()
        .unwrap();
    let space = io.namespace("/");
    let space = space
        .authenticate(TwoRoundTrip::new(users()))
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let reply = client.join("/").await;
    assert!(!reply.contains("pid"), "{reply}");
    let authenticate = format!(r#"42["authenticate",{}]"#, token("user:ann"));
    client.send(&authenticate).await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    space.emit("x", &()).unwrap();
    assert_eq!(client.next_text().await, r#"42["x"]"#);
}
