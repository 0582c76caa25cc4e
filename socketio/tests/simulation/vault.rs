//! A namespace with a guard: who may be in it, and in which of its rooms.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use socketio::auth::{
    AuthContext, Authenticator, Code, Credential, Either, Grant, OnExpiry, Outcome, Policy,
    auth_fn,
    authorize::{Action, Decision, Holder, authorizer_fn},
    revocation::Revocation,
};
use socketio::{Ack, Args, Namespace, Room, Socket, SocketIo};
use tokio::time::sleep;

use crate::history::{Origin, SocketNo, What};
use crate::rng::Rng;
use crate::world::World;

/// Who somebody is, and by which login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) who: Origin,
    pub(crate) login: u32,
}

/// How long one who has connected may take to log in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(4);

/// Which rooms are whose.
pub(crate) fn is_allowed(who: Origin, room: u8) -> bool {
    (who + Origin::from(room)).is_multiple_of(2)
}

/// What the time of day is when a run begins.
pub(crate) const DAWN: SystemTime = SystemTime::UNIX_EPOCH;

/// What the clock says so long after the run began, in milliseconds since the epoch.
pub(crate) fn millis_of_day(since: Duration) -> u64 {
    let dawn = DAWN.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (dawn + since).as_millis() as u64
}

/// Says who comes, by which login, and until which millisecond of the run that holds.
pub(crate) fn token(who: Origin, login: u32, ends: Option<u64>) -> String {
    let ends = ends.map(|ends| ends.to_string()).unwrap_or_default();
    format!("{who}-{login}-{ends}")
}

fn parse(token: &str) -> Option<(Visitor, Option<u64>)> {
    let mut parts = token.split('-');
    let (who, login) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((Visitor { who, login }, parts.next()?.parse().ok()))
}

fn session(who: Origin, login: u32) -> String {
    format!("{who}-{login}")
}

/// What ends one login.
pub(crate) fn revocation(who: Origin, login: u32) -> Revocation {
    Revocation::session(session(who, login))
}

fn policy(world: &Arc<World>, server: usize) -> impl Policy<Identity = Visitor> + use<> {
    let (revocations, history) = (world.revocations.clone(), world.history.clone());
    let visitors = auth_fn(move |_: AuthContext, credential: Credential| {
        let history = history.clone();
        async move {
            let Some((visitor, ends)) = parse(credential.token()) else {
                return Outcome::Reject(Code::InvalidToken.into());
            };
            let Visitor { who, login } = visitor;
            history.add(What::VaultJudged { server, who, login });
            // Some are judged at once, others while much may happen.
            sleep(Duration::from_millis(u64::from((who + login) % 3 * 150))).await;
            let grant = Grant::new(visitor, format!("visitor {who}"));
            let grant = grant.with_session_id(session(who, login));
            // That it may have ended by now is the server's business.
            Outcome::Accept(match ends {
                Some(ends) => grant.with_expires_at(DAWN + Duration::from_millis(ends)),
                None => grant,
            })
        }
    });
    let mut rng = Rng::new(world.seed, 20_000 + server as u64);
    let on_expiry = if rng.one_in(2) {
        OnExpiry::ReconnectTransport
    } else {
        OnExpiry::DisconnectNamespace
    };
    let policy = Either::new(visitors.with_revocation(revocations))
        .timeout(LOGIN_TIMEOUT)
        .on_expiry(on_expiry);
    policy.authorize(authorizer_fn(
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
