//! A client that never reads hurts nobody but itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::time::Duration;

use socketio::{Args, EmitError, Namespace, OverflowPolicy, Sent, Socket, SocketIo};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use support::{Flavor, Server, WebSocket, within};

/// Clients that read what they are sent, beside the one that does not.
const OTHERS: usize = 1000;

const ROUNDS: u32 = 100;

/// What the slow client alone is sent in every round.
const BULK_BYTES: usize = 512 * 1024;

/// How much of it may wait: a fiftieth.
const QUEUE_BYTES: usize = 1024 * 1024;

/// How much the process may grow meanwhile. What is sent to the slow client is three times as much.
const GROWTH_MAX_BYTES: usize = 16 * QUEUE_BYTES;

struct Party {
    _server: Server,
    space: Namespace<()>,
    slow: Socket,
    /// Its other end, which is never read before the end.
    client: WebSocket,
    others: JoinSet<WebSocket<DuplexStream>>,
}

impl Party {
    async fn with(policy: OverflowPolicy) -> Self {
        let io = SocketIo::builder()
            .engine(|config| {
                config
                    .ping_interval(Duration::from_secs(600))
                    .max_queued_bytes(QUEUE_BYTES)
            })
            .build()
            .unwrap();
        let space = io.namespace("/").overflow(policy).open().unwrap();
        let server = Server::start(Flavor::TwoWorkers, &io);
        let client = WebSocket::join(server.address).await;
        let slow = space.sockets().remove(0);
        let mut others = JoinSet::new();
        for _ in 0..OTHERS {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let io = io.clone();
            server
                .runtime
                .spawn(async move { io.serve_stream(far, None).await });
            let client = WebSocket::join_over(near).await;
            others.spawn(hear_everything(client));
        }
        Self {
            _server: server,
            space,
            slow,
            client,
            others,
        }
    }

    /// Sends a tick to everyone and a mass to the slow client, in each round; what became of the latter.
    fn emit_everything(&self) -> Vec<Result<Sent, EmitError>> {
        let bulk = "x".repeat(BULK_BYTES);
        let mut emitted = Vec::new();
        let mut rss_bytes = None;
        for round in 0..ROUNDS {
            emitted.push(self.slow.emit("bulk", &Args((round, &bulk))));
            self.space.emit("tick", &round).unwrap();
            let queued = self.slow.queued_bytes();
            assert!(queued <= QUEUE_BYTES + BULK_BYTES, "{queued} bytes wait");
            let (before, now) = (rss_bytes.or_else(resident_bytes), resident_bytes());
            rss_bytes = before;
            if let (Some(before), Some(now)) = (before, now) {
                let grown = now.saturating_sub(before);
                assert!(grown < GROWTH_MAX_BYTES, "grown by {grown} in {round}");
            }
        }
        emitted
    }

    /// Nobody else has missed anything, nor been cut off.
    async fn hear_out(&mut self) {
        let mut clients = Vec::new();
        while let Some(heard) = within(self.others.join_next()).await {
            clients.push(heard.unwrap());
        }
        let slow = usize::from(self.slow.is_connected());
        assert_eq!(self.space.socket_count(), OTHERS + slow);
    }

    /// What the slow client gets when it reads at last: the rounds whose mass arrived.
    async fn catch_up(&mut self) -> Vec<u32> {
        let last = self.slow.emit_when_ready("last", &());
        let reader = &mut self.client.reader;
        let reading = async {
            let mut rounds = Vec::new();
            loop {
                match reader.text().await {
                    text if text == r#"42["last"]"# => return rounds,
                    text => rounds.extend(round_of(&text)),
                }
            }
        };
        let (sent, rounds) = tokio::join!(within(last), reading);
        sent.unwrap();
        rounds
    }
}

async fn hear_everything(mut client: WebSocket<DuplexStream>) -> WebSocket<DuplexStream> {
    for round in 0..ROUNDS {
        let tick = client.reader.text().await;
        assert_eq!(tick, format!(r#"42["tick",{round}]"#));
    }
    client
}

/// The round of a mass; `None` for a tick.
fn round_of(packet: &str) -> Option<u32> {
    let rest = packet.strip_prefix(r#"42["bulk","#)?;
    rest.split(',').next()?.parse().ok()
}

/// How much of the process is in memory, where the system tells.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn is_full(emitted: &Result<Sent, EmitError>) -> bool {
    matches!(emitted, Err(EmitError::QueueFull { .. }))
}

/// One test, for the policies would disturb each other's memory.
#[tokio::test]
async fn a_client_that_never_reads_is_dealt_with_by_policy_and_the_others_notice_nothing() {
    let mut party = Party::with(OverflowPolicy::Disconnect).await;
    let emitted = party.emit_everything();
    within(party.slow.closed()).await;
    party.hear_out().await;
    // What fills the queue is a mass or a tick; afterwards there is nobody to send to.
    let cut = emitted.iter().position(Result::is_err).unwrap();
    let gone = Err(EmitError::Disconnected);
    assert!(emitted[cut + 1..].iter().all(|emitted| *emitted == gone));
    party.client.reader.drain().await;
    drop(party);

    let mut party = Party::with(OverflowPolicy::DropNew).await;
    let emitted = party.emit_everything();
    party.hear_out().await;
    assert!(emitted.iter().any(is_full));
    let accepted: Vec<u32> = (0..)
        .zip(&emitted)
        .filter_map(|(round, emitted)| emitted.is_ok().then_some(round))
        .collect();
    assert_eq!(party.catch_up().await, accepted);
    assert!(party.slow.is_connected());
    drop(party);

    let mut party = Party::with(OverflowPolicy::DropOldest).await;
    let emitted = party.emit_everything();
    party.hear_out().await;
    assert!(emitted.iter().all(Result::is_ok), "the old make room");
    let rounds = party.catch_up().await;
    assert!(rounds.len() < emitted.len(), "{rounds:?}");
    assert!(rounds.is_sorted(), "{rounds:?}");
    assert_eq!(rounds.last(), Some(&(ROUNDS - 1)));
    assert!(party.slow.is_connected());
}
