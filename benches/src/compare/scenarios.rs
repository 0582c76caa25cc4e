//! The scenarios with their targets. A target is a ratio to another server measured in the same run.

use super::layer::Layer;
use super::options::Options;
use super::servers::ServerKind;
use super::token::{SECRET, token};
use crate::load::{CONTEXTLESS, Content, Dialect, OF_BROWSERS, Scenario};

/// A scenario as the report knows it.
#[derive(Debug)]
pub struct Spec {
    /// The word for the command line.
    pub name: &'static str,
    /// The words of the report.
    pub title: &'static str,
    /// What is played.
    pub scenario: Scenario,
    pub(super) door: Door,
    pub(super) layer: Layer,
    pub(super) goal: Goal,
}

/// Who may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// Whoever has a signed token.
    Token,
}

/// What ours must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    /// At most so many times the floor's cost.
    Floor(f64),
    /// At most so many times socketioxide's.
    Socketioxide(f64),
    /// At most so many times Node's.
    Node(f64),
    /// At most so many times what it costs behind nginx, nginx included.
    Nginx(f64),
    /// At most this.
    Absolute(f64),
}

const fn echo(bytes: usize, in_flight: usize, content: Content) -> Scenario {
    Scenario::Echo {
        bytes,
        in_flight,
        content,
    }
}

const fn open(name: &'static str, title: &'static str, scenario: Scenario, goal: Goal) -> Spec {
    over(Layer::Plain, name, title, scenario, goal)
}

const fn over(
    layer: Layer,
    name: &'static str,
    title: &'static str,
    scenario: Scenario,
    goal: Goal,
) -> Spec {
    Spec {
        name,
        title,
        scenario,
        door: Door::Open,
        layer,
        goal,
    }
}

const fn broadcast(bytes: usize) -> Scenario {
    Scenario::Broadcast {
        clients: 1000,
        rooms: 0,
        bytes,
    }
}

const fn idle(clients: usize) -> Scenario {
    Scenario::Idle { clients, said: 0 }
}

/// All scenarios, in the order they run.
pub const SCENARIOS: [Spec; 21] = [
    open(
        VALIDITY,
        "echo, 16 B text, 4 in flight",
        echo(16, 4, Content::Text),
        Goal::Floor(1.3),
    ),
    open(
        "echo16x1",
        "echo, 16 B text, 1 in flight",
        echo(16, 1, Content::Text),
        Goal::Floor(1.15),
    ),
    open(
        "echo1kx4",
        "echo, 1 KiB text, 4 in flight",
        echo(1024, 4, Content::Text),
        Goal::Floor(1.5),
    ),
    open(
        "echo16kx2",
        "echo, 16 KiB text, 2 in flight",
        echo(16 * 1024, 2, Content::Text),
        Goal::Socketioxide(0.3),
    ),
    open(
        "binary128x4",
        "echo, 128 B binary, 4 in flight",
        echo(128, 4, Content::Binary),
        Goal::Floor(1.3),
    ),
    open(
        "binary16kx2",
        "echo, 16 KiB binary, 2 in flight",
        echo(16 * 1024, 2, Content::Binary),
        Goal::Floor(1.1),
    ),
    open(
        "broadcast",
        "broadcast to 1,000, 128 B, per delivery",
        broadcast(128),
        Goal::Floor(1.1),
    ),
    open(
        "rooms",
        "100 rooms of 10, 128 B, per delivery",
        Scenario::Broadcast {
            clients: 1000,
            rooms: 100,
            bytes: 128,
        },
        Goal::Floor(1.1),
    ),
    open(
        "connect",
        "connect, namespace, close",
        Scenario::Connect,
        Goal::Floor(1.25),
    ),
    Spec {
        name: "connect-jwt",
        title: "connect with an HS256 token, close",
        scenario: Scenario::Connect,
        door: Door::Token,
        layer: Layer::Plain,
        goal: Goal::Floor(1.4),
    },
    open(
        "upgrade",
        "connect by polling, upgrade, one echo, close",
        Scenario::Upgrade,
        Goal::Socketioxide(0.7),
    ),
    open(
        "polling",
        "echo over polling, 1 in flight",
        Scenario::PollingEcho,
        Goal::Socketioxide(0.75),
    ),
    open(
        "idle",
        "bytes for each of 10,000 idle connections",
        idle(10_000),
        Goal::Absolute(2048.0),
    ),
    over(
        Layer::Tls,
        "tls-echo16x4",
        "over TLS: echo, 16 B text, 4 in flight",
        echo(16, 4, Content::Text),
        Goal::Nginx(0.5),
    ),
    over(
        Layer::Tls,
        "tls-broadcast",
        "over TLS: broadcast to 1,000, 128 B, per delivery",
        broadcast(128),
        Goal::Nginx(0.5),
    ),
    over(
        Layer::Tls,
        "tls-idle",
        "over TLS: bytes for each of 5,000 idle connections",
        idle(5_000),
        Goal::Absolute(12.0 * 1024.0),
    ),
    over(
        Layer::Deflate(CONTEXTLESS),
        "deflate-echo1kx4",
        "compressed: echo, 1 KiB text, 4 in flight",
        echo(1024, 4, Content::Text),
        Goal::Node(0.3),
    ),
    open(
        "broadcast1k",
        "broadcast to 1,000, 1 KiB, per delivery",
        broadcast(1024),
        Goal::Floor(1.1),
    ),
    over(
        Layer::Deflate(CONTEXTLESS),
        "deflate-broadcast1k",
        "compressed: broadcast to 1,000, 1 KiB, per delivery",
        broadcast(1024),
        Goal::Node(0.3),
    ),
    over(
        Layer::Deflate(OF_BROWSERS),
        "deflate-idle",
        "compressed: bytes for each of 1,000 that have said 32 KiB",
        Scenario::Idle {
            clients: 1_000,
            said: 32 * 1024,
        },
        Goal::Absolute(40_000.0),
    ),
    // The last is a small echo again: what has changed in between shows how steady the machine was.
    open(
        "echo16x4-again",
        "echo, 16 B text, 4 in flight, once more",
        echo(16, 4, Content::Text),
        Goal::Floor(1.3),
    ),
];

/// The scenario that shows whether the floor is low enough to be one.
pub(super) const VALIDITY: &str = "echo16x4";

/// The floor must cost at most this share of socketioxide, else it flatters everyone.
pub(super) const VALIDITY_MAX: f64 = 0.5;

/// Resident bytes that may stay when ten thousand have left.
pub(super) const LEFT_BEHIND_MAX: f64 = 16.0 * 1024.0 * 1024.0;

/// How many times the floor's 99th percentile ours may be.
pub(super) const P99_MAX: f64 = 1.5;

impl Spec {
    pub(super) fn is_wanted(&self, options: &Options) -> bool {
        let needs_events =
            matches!(self.scenario, Scenario::Broadcast { .. }) || self.door == Door::Token;
        (options.dialect == Dialect::Socket || !needs_events)
            && (options.only.is_empty() || options.only.iter().any(|name| name == self.name))
    }

    /// The profile of FIXTURE.md that it is played against.
    pub(super) fn profile(&self, dialect: Dialect) -> &'static str {
        match (dialect, self.door) {
            (_, Door::Token) => "auth",
            (Dialect::Engine, Door::Open) => "engine",
            (Dialect::Socket, Door::Open) => "socket",
        }
    }

    /// What joins the namespace beside the packet's type.
    pub(super) fn auth(&self) -> String {
        match self.door {
            Door::Open => String::new(),
            Door::Token => format!("{{\"token\":\"{}\"}}", token(SECRET)),
        }
    }

    pub(super) fn needs_fresh_server(&self) -> bool {
        matches!(self.scenario, Scenario::Idle { .. })
    }

    /// Whether this server has what the scenario asks for.
    pub(super) fn suits(&self, kind: ServerKind) -> bool {
        match self.layer {
            Layer::Plain if kind == ServerKind::OursNginx => return false,
            Layer::Plain => {}
            Layer::Tls => {
                return matches!(
                    kind,
                    ServerKind::Ours | ServerKind::OursNginx | ServerKind::Node
                );
            }
            Layer::Deflate(_) => {
                return kind == ServerKind::Node
                    || (kind.is_ours() && kind != ServerKind::OursNginx);
            }
        }
        match (self.scenario, self.door) {
            (Scenario::Upgrade | Scenario::PollingEcho, _) => kind != ServerKind::Floor,
            (_, Door::Token) => kind.is_ours() || kind == ServerKind::Floor,
            _ => true,
        }
    }
}
