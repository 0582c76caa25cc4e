//! What a delivery of a broadcast costs, however many members hear it: counts, so that it can fail where a time
//! could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod member;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benches::allocations::{self, Count, Counting};
use member::Member;
use serde::{Serialize, Serializer};
use socketio::{Broadcast, Namespace, SocketIo};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where a member joins; every tenth is in the second one too.
const ROOMS: [&str; 2] = ["all", "tenth"];

/// An argument that knows how often it was encoded.
struct Encoded<'e> {
    text: &'e str,
    count: Cell<u32>,
}

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.count.set(self.count.get() + 1);
        serializer.serialize_str(self.text)
    }
}

struct Crowd {
    io: SocketIo,
    space: Namespace<()>,
    members: JoinSet<()>,
    /// Bytes that all members have read together.
    heard: Arc<AtomicU64>,
    count: Count,
}

impl Crowd {
    fn new() -> Self {
        // A ping is no delivery, nor is a time limit that comes to nothing, which a busy machine would see.
        let hour = Duration::from_secs(3600);
        let io = SocketIo::builder()
            .engine(|config| config.ping_interval(hour))
            .connect_timeout(hour)
            .build()
            .unwrap();
        let joined = AtomicU64::new(0);
        let space = io
            .namespace("/")
            .on_connect(move |socket| {
                let number = joined.fetch_add(1, Ordering::Relaxed);
                let rooms = if number.is_multiple_of(10) { 2 } else { 1 };
                async move {
                    for room in &ROOMS[..rooms] {
                        socket.join(*room).unwrap();
                    }
                }
            })
            .open()
            .unwrap();
        Self {
            io,
            space,
            members: JoinSet::new(),
            heard: Arc::default(),
            count: allocations::count_this_thread(),
        }
    }

    async fn grow_to(&mut self, members: usize) {
        while self.io.connection_count() < members {
            let member = Member::new(&self.heard);
            let io = self.io.clone();
            self.members
                .spawn(async move { io.serve_stream(member, None).await });
            tokio::task::yield_now().await;
        }
        while self.space.socket_count() < members || self.is_behind() {
            tokio::task::yield_now().await;
        }
    }

    /// True while a member has not heard what it was sent.
    fn is_behind(&self) -> bool {
        let mut sockets = self.space.sockets().into_iter();
        sockets.any(|socket| socket.queued_bytes() > 0)
    }

    /// Sends an event to those who are meant, and lets them hear it; how often the thread has allocated meanwhile.
    async fn deliver(&self, to: Broadcast, text: &str, members: usize) -> u64 {
        let argument = Encoded {
            text,
            count: Cell::new(0),
        };
        let message = format!(r#"42["event","{text}"]"#).len();
        let frame = message + if message < 126 { 2 } else { 4 };
        let (heard, allocated) = (self.heard.load(Ordering::Relaxed), self.count.so_far());
        to.emit("event", &argument).unwrap();
        let all = heard + (members * frame) as u64;
        while self.heard.load(Ordering::Relaxed) < all {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.heard.load(Ordering::Relaxed), all, "one copy each");
        assert_eq!(argument.count.get(), 1, "encoded once");
        self.count.so_far() - allocated
    }
}

/// Lists that grow with the number of members do so by doubling.
const GROWTHS_MAX: u64 = 64;

#[test]
fn a_delivery_costs_the_same_however_many_members_there_are() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut crowd = Crowd::new();
        let [room, tenth] = ROOMS;
        // A small event is copied once for each member, a large one is shared by all.
        for (members, bytes, copies) in [
            (1_000, 16, 1),
            (1_000, 8 * 1024, 0),
            (100_000, 16, 1),
            (100_000, 8 * 1024, 0),
        ] {
            crowd.grow_to(members).await;
            let text = "x".repeat(bytes);
            for (to, heard) in [
                (crowd.space.everyone(), members),
                (crowd.space.to(room).except(tenth), members / 10 * 9),
            ] {
                let allocated = crowd.deliver(to, &text, heard).await;
                let most = copies * heard as u64 + GROWTHS_MAX;
                assert!(allocated <= most, "{allocated} for {heard} times {bytes}");
            }
        }
    });
}
