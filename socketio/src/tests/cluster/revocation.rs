//! What is revoked on one server ends sockets on the others.

use std::sync::Arc;

use super::{Kind, World, settle};
use crate::auth::{
    Authenticator, InHandshake,
    revocation::{MemoryRevocations, Revocation},
};
use crate::testing::TestClient;
use crate::tests::auth::{User, token, users, wall_clock};
use crate::{SocketIo, SocketIoBuilder};

/// A server with a list of its own, guarded where a namespace is not even open yet.
fn guarded(builder: SocketIoBuilder) -> (SocketIo<User>, Arc<MemoryRevocations>) {
    let list = Arc::new(MemoryRevocations::new());
    let io = builder
        .authenticate(InHandshake::new(users().with_revocation(Arc::clone(&list))))
        .build()
        .unwrap();
    io.namespaces("/chat-#").open().unwrap();
    (io, list)
}

#[tokio::test(start_paused = true)]
async fn a_revocation_ends_the_sockets_of_every_server_and_lasts_there() {
    let world = World::new();
    let (_one, list) = guarded(world.builder());
    let (two, remembered) = guarded(world.builder());
    let mut ann = TestClient::open(&two).await;
    let mut bob = TestClient::open(&two).await;
    ann.join_with("/chat-1", &token("user:ann")).await;
    bob.join_with("/chat-1", &token("user:bob")).await;
    world.fault.set(Kind::Twice);
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    let told = ann.next_text().await;
    assert!(told.contains("token_revoked"), "{told}");
    assert_eq!(ann.next_text().await, "41/chat-1,");
    let mut ann = TestClient::open(&two).await;
    let refused = ann.join_with("/chat-1", &token("user:ann")).await;
    assert!(refused.contains("token_revoked"), "{refused}");
    assert_eq!(remembered.len(), 1);
    let again = bob.join_with("/chat-2", &token("user:bob")).await;
    assert!(again.starts_with("40/chat-2,"), "{again}");
}

#[tokio::test(start_paused = true)]
async fn what_another_server_revoked_is_not_told_again() {
    let world = World::new();
    let (_one, list) = guarded(world.builder());
    let (_two, _) = guarded(world.builder());
    settle().await;
    world.fault.set(Kind::TwiceUnnumbered);
    list.revoke(&Revocation::session("s")).unwrap();
    // An echo would go round for ever.
    settle().await;
    world.fault.set(Kind::Fails);
    settle().await;
    assert_eq!(world.errors(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_credential_of_a_guarded_namespace_is_told_to_other_servers() {
    let world = World::new();
    let io = world.builder();
    let policy = InHandshake::new(users()).sources(crate::auth::Header("x-api-key"));
    let io = io.authenticate(policy).build().unwrap();
    let chats = io.namespaces("/room-#").open().unwrap();
    let headers = [("x-api-key", "user:ann"), ("user-agent", "test")];
    let mut client = TestClient::open_with(&io, "", &headers).await;
    client.join_with("/room-1", r#"{"pin":"secret"}"#).await;
    let chat = chats.namespace("/room-1").unwrap();
    let found = chat.fetch_sockets().await.into_items();
    let told = found[0].handshake().to_string();
    assert!(
        !told.contains("secret") && !told.contains("user:ann"),
        "{told}"
    );
    assert!(told.contains("user-agent"), "{told}");
}
