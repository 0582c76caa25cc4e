//! A namespace with a guard: who may be in it, and in which of its rooms.

use std::sync::Arc;
use std::time::Duration;

use socketio::auth::{
    AuthContext, Authenticator, Code, Credential, Grant, InHandshake, Outcome, Policy, auth_fn,
    authorize::{Action, Decision, Holder, authorizer_fn},
    revocation::Revocation,
};
use socketio::{Ack, Args, Namespace, Room, Socket, SocketIo};
use tokio::time::sleep;

use crate::history::{Origin, SocketNo, What};
use crate::world::World;

/// Who somebody is, and by which login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) who: Origin,
    pub(crate) login: u32,
}

/// Which rooms are whose.
pub(crate) fn is_allowed(who: Origin, room: u8) -> bool {
    (who + Origin::from(room)).is_multiple_of(2)
}

pub(crate) fn token(who: Origin, login: u32) -> String {
    format!("{who}-{login}")
}

/// What ends one login.
pub(crate) fn revocation(who: Origin, login: u32) -> Revocation {
    Revocation::session(token(who, login))
}

fn policy(world: &Arc<World>, server: usize) -> impl Policy<Identity = Visitor> + use<> {
    let (revocations, history) = (world.revocations.clone(), world.history.clone());
    let visitors = auth_fn(move |_: AuthContext, credential: Credential| {
        let history = history.clone();
        async move {
            let parts = credential.token().split_once('-');
            let parts =
                parts.and_then(|(who, login)| Some((who.parse().ok()?, login.parse().ok()?)));
            let Some((who, login)) = parts else {
                return Outcome::Reject(Code::InvalidToken.into());
            };
            history.add(What::VaultJudged { server, who, login });
            // Some are judged at once, others while much may happen.
            sleep(Duration::from_millis(u64::from((who + login) % 3 * 150))).await;
            let grant = Grant::new(Visitor { who, login }, format!("visitor {who}"));
            Outcome::Accept(grant.with_session_id(token(who, login)))
        }
    });
    InHandshake::new(visitors.with_revocation(revocations)).authorize(authorizer_fn(
        |holder: Holder<'_, Visitor>, action: Action<'_>| {
            Decision::allow_if(match action {
                Action::Join { room } => {
                    let who = holder.grant().map(|_| holder.identity().who);
                    let room = room.strip_prefix('r').and_then(|room| room.parse().ok());
                    who.zip(room)
                        .is_some_and(|(who, room)| is_allowed(who, room))
                }
                _ => true,
            })
        },
    ))
}

pub(crate) fn open(world: &Arc<World>, server: usize, io: &SocketIo) -> Namespace<Visitor> {
    let (enters, leaves, moves) = (Arc::clone(world), Arc::clone(world), Arc::clone(world));
    io.namespace("/vault")
        .authenticate(policy(world, server))
        .on_connect(move |socket: Socket<Visitor>| {
            let Visitor { who, login } = *socket.data();
            enters.history.add(What::VaultEntered {
                server,
                socket: number_of(&enters, &socket),
                who,
                login,
                is_recovered: socket.is_recovered(),
                rooms: rooms_of(&socket),
            });
            async {}
        })
        .on_disconnecting(move |socket, _| {
            leaves.history.add(What::VaultGone {
                socket: number_of(&leaves, &socket),
            });
        })
        .on(
            "enter",
            move |socket: Socket<Visitor>, Args((who, room)): Args<(Origin, u8)>| {
                // An application that asks before it lets somebody into a room.
                let name = format!("r{room}");
                let is_in = socket.may(Action::Join { room: &name }) && socket.join(name).is_ok();
                moves.history.add(What::VaultJoined {
                    socket: number_of(&moves, &socket),
                    who,
                    room,
                    is_in,
                });
                async move { Ack(is_in) }
            },
        )
        .open()
        .unwrap()
}

fn number_of(world: &World, socket: &Socket<Visitor>) -> SocketNo {
    world.history.socket(socket.id().as_str())
}

fn rooms_of(socket: &Socket<Visitor>) -> Vec<u8> {
    let number = |room: &Room| room.as_str().strip_prefix('r')?.parse().ok();
    let mut rooms: Vec<u8> = socket.rooms().iter().filter_map(number).collect();
    rooms.sort_unstable();
    rooms
}

/// Everybody who is in, when all is quiet.
pub(crate) fn tell_state(world: &World, server: usize, vault: &Namespace<Visitor>) {
    let sockets = vault.sockets();
    let mut visitors: Vec<_> = sockets
        .iter()
        .map(|socket| {
            let Visitor { who, login } = *socket.data();
            (who, login, number_of(world, socket), rooms_of(socket))
        })
        .collect();
    visitors.sort();
    world.history.add(What::VaultHas { server, visitors });
}
