//! Events that threads emit at the same time, to a client that may have to recover. Every schedule is tried.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::{Member, come_back, server};
use crate::testing::TestClient;
use crate::{Namespace, Recovery, Socket, SocketIo};

/// A server whose clients may come back, and where its clients run.
#[derive(Clone)]
struct World {
    io: SocketIo,
    space: Namespace<()>,
    runtime: Arc<Runtime>,
}

fn explore(model: impl Fn(World) + Send + Sync + 'static) {
    schedules::explore(move || {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let (io, space) = server(Recovery::new());
        model(World {
            io,
            space,
            runtime: Arc::new(runtime),
        });
    });
}

/// The events up to the one that is sent last.
async fn events(client: &mut TestClient, space: &Namespace<()>) -> Vec<String> {
    space.emit("end", &()).unwrap();
    let mut events = Vec::new();
    while !events
        .last()
        .is_some_and(|event: &String| event.starts_with(r#"42["end""#))
    {
        events.push(client.next_text().await);
    }
    events
}

//= SIO5-CSR-04 test
#[test]
fn a_client_hears_what_threads_emit_at_once_in_the_order_in_which_it_is_kept() {
    explore(|world| {
        let World { io, space, runtime } = world;
        let mut member = runtime.block_on(Member::join(&io, &space));
        let (all, one): (Namespace<()>, Socket) = (space.clone(), member.socket.clone());
        let all = schedules::spawn("to all", move || all.emit("all", &()).unwrap());
        let one = schedules::spawn("to one", move || one.emit("one", &()).unwrap());
        all.join();
        one.join();
        let heard = runtime.block_on(events(&mut member.client, &space));
        assert_eq!(heard.len(), 3);
        // What it has is the event before these.
        let mut kept = runtime.block_on(async {
            let auth = member.vanish().await;
            come_back(&io, &auth).await.1
        });
        kept.pop();
        assert_eq!(heard, kept);
    });
}

//= SIO5-CSR-06 test
#[test]
fn a_client_that_comes_back_while_others_emit_hears_everything_once_and_in_order() {
    explore(|world| {
        let World { io, space, runtime } = world;
        let auth = runtime.block_on(async { Member::join(&io, &space).await.vanish().await });
        space.emit("before", &()).unwrap();
        let during = space.clone();
        let emitter = schedules::spawn("emits", move || during.emit("during", &()).unwrap());
        let of_client = Arc::clone(&runtime);
        let client = schedules::spawn("comes back", move || {
            of_client.block_on(async { come_back(&io, &auth).await })
        });
        emitter.join();
        let (mut client, mut heard) = client.join();
        heard.retain(|packet| packet.starts_with("42"));
        heard.extend(runtime.block_on(events(&mut client, &space)));
        let names = heard.iter().map(|event| event.split('"').nth(1).unwrap());
        assert_eq!(names.collect::<Vec<_>>(), ["before", "during", "end"]);
    });
}
