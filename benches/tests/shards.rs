//! What a broadcast costs the shard that sends it, however many members the others have: counts, so that it can fail where a
//! time could not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod member;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use benches::allocations::{self, Counting};
use member::Member;
use socketio::SocketIo;
use socketio::cluster::LocalBus;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BROADCASTS: u64 = 20;

/// A queue that grows does so by doubling.
const GROWTHS_MAX: u64 = 8;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn server(bus: &LocalBus) -> SocketIo {
    // A ping is no delivery.
    let hour = Duration::from_secs(3600);
    SocketIo::builder()
        .engine(|config| config.ping_interval(hour))
        .connect_timeout(hour)
        .adapter(bus.adapter())
        .build()
        .unwrap()
}

/// A shard on a thread of its own, which serves so many members until the sender is dropped.
fn start_shard(bus: &LocalBus, members: usize, heard: &Arc<AtomicU64>) -> mpsc::Sender<()> {
    let (bus, heard) = (bus.clone(), Arc::clone(heard));
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let io = server(&bus);
            let space = io.namespace("/").open().unwrap();
            let mut serving = JoinSet::new();
            for _ in 0..members {
                let (io, member) = (io.clone(), Member::new(&heard));
                serving.spawn(async move { io.serve_stream(member, None).await });
            }
            io.ready().await.unwrap();
            while space.socket_count() < members {
                tokio::task::yield_now().await;
            }
            tell.send(()).unwrap();
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                tokio::task::yield_now().await;
            }
        });
    });
    told.recv().unwrap();
    stop
}

/// What the sending shard allocates for its broadcasts while others deliver them.
fn allocated_for(members: usize) -> u64 {
    let count = allocations::count_this_thread();
    let (bus, heard) = (LocalBus::new(), Arc::default());
    let shards = [(); 2].map(|()| start_shard(&bus, members, &heard));
    let allocated = runtime().block_on(async {
        let io = server(&bus);
        let here = io.namespace("/").open().unwrap();
        io.ready().await.unwrap();
        let frame = br#"42["event","sixteen letters."]"#.len() as u64 + 2;
        let broadcast = async |times: u64| {
            for _ in 0..times {
                let wanted = heard.load(Ordering::Relaxed) + frame * 2 * members as u64;
                here.emit("event", "sixteen letters.").unwrap();
                // One at a time: behind a full queue it would become a task.
                while heard.load(Ordering::Relaxed) < wanted {
                    tokio::task::yield_now().await;
                }
            }
        };
        broadcast(BROADCASTS).await;
        let before = count.so_far();
        broadcast(BROADCASTS).await;
        count.so_far() - before
    });
    drop(shards);
    allocated
}

#[test]
fn a_broadcast_costs_the_sending_shard_the_same_however_many_members_the_others_have() {
    let (few, many) = (allocated_for(2), allocated_for(500));
    assert!(
        many <= few + GROWTHS_MAX,
        "{few} for few and {many} for many"
    );
}
