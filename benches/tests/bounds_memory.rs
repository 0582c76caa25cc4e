//! What a client can make a server hold, bound by bound, each filled with the smallest items there are: bytes, counted, against
//! what is named. Bounds in bytes hold within a factor of two. Bounds in numbers have their price for each item here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[allow(dead_code, reason = "other tests use more of it")]
mod client;
mod counted;
mod socket_client;

use std::net::SocketAddr;

use benches::allocations::{Count, Counting};
use benches::wire::{self, opcode};
use client::Client;
use socket_client::{is_read, join, text};
use socketio::auth::{AuthContext, Credential, Outcome, TwoRoundTrip, auth_fn};
use socketio::{ConnectError, OverflowPolicy, SocketIo, SocketIoBuilder};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is held may be so many times what is named.
const FACTOR: i64 = 2;

/// A server whose handlers do what a client can ask for.
fn start(
    change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder + Send + 'static,
) -> (SocketAddr, Count) {
    counted::start(|listener| async move {
        let io = change(SocketIo::builder()).build().unwrap();
        io.namespace("/")
            .on("wait", |_, (): ()| std::future::pending::<()>())
            .on("join", |socket, room: String| async move {
                let _ = socket.join(room);
            })
            .on("flood", |socket, count: u32| async move {
                for _ in 0..count {
                    let _ = socket.emit("", &());
                }
            })
            .on("ask", |socket, (): ()| async move {
                let _ = socket.emit_with_ack::<()>("", &()).await;
            })
            .open()
            .unwrap();
        io.namespaces("/n-#").open().unwrap();
        io.namespaces("/slow-#")
            .middleware(|_| std::future::pending::<Result<(), ConnectError>>())
            .open()
            .unwrap();
        let never = auth_fn(|_: AuthContext, _: Credential| std::future::pending::<Outcome<()>>());
        io.namespace("/login")
            .authenticate(TwoRoundTrip::new(never).settings(|of| of.max_pending_packets = 1 << 20))
            .open()
            .unwrap();
        io.serve(listener).await.unwrap();
    })
}

/// Waits until the server has read all that was sent, whatever it answered before.
fn settle(client: &mut Client) {
    client.send(&text("40/nowhere,"));
    while !client.hear().starts_with(b"44/nowhere,") {}
}

/// What a server holds more after a client has sent this.
fn held_after(
    change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder + Send + 'static,
    first: &[String],
    items: &[Vec<u8>],
) -> i64 {
    let (address, count) = start(change);
    let mut client = join(address);
    for packet in first {
        client.send(&text(packet));
    }
    settle(&mut client);
    let before = count.held_bytes();
    for part in items.chunks(1_000) {
        client.send(&part.concat());
        settle(&mut client);
    }
    count.held_bytes() - before
}

/// So many items, and the most bytes that each may cost.
struct Counted {
    name: &'static str,
    count: usize,
    each_bytes: i64,
    item: fn(usize) -> String,
}

/// The bounds in numbers, up to their defaults or far enough to see what one costs.
const COUNTED: [Counted; 5] = [
    Counted {
        name: "max_rooms_per_socket",
        count: 1_024,
        each_bytes: 300,
        item: |n| format!(r#"42["join","{n}"]"#),
    },
    Counted {
        name: "max_handlers_in_flight",
        count: 1_000,
        each_bytes: 700,
        item: |_| r#"42["wait"]"#.to_owned(),
    },
    Counted {
        name: "max_pending_acks",
        count: 1_000,
        each_bytes: 1_100,
        item: |_| r#"42["ask"]"#.to_owned(),
    },
    Counted {
        name: "max_namespaces_per_connection",
        count: 62,
        each_bytes: 3_000,
        item: |n| format!("40/n-{n},"),
    },
    Counted {
        name: "max_concurrent_connects",
        count: 62,
        each_bytes: 4_000,
        item: |n| format!("40/slow-{n},"),
    },
];

#[test]
fn what_a_bound_in_numbers_costs_is_known() {
    for Counted {
        name,
        count,
        each_bytes,
        item,
    } in COUNTED
    {
        let items: Vec<Vec<u8>> = (0..count).map(|n| text(&item(n))).collect();
        let each = held_after(|builder| builder, &[], &items) / i64::try_from(count).unwrap();
        println!("{name}: {each} bytes each");
        assert!(each <= each_bytes, "{name}: {each} > {each_bytes}");
    }
}

/// Fills a bound until the connection is closed, or `rounds` are over; the most that was held.
fn most_held(count: Count, client: &mut Client, item: &[u8], rounds: usize) -> i64 {
    let before = count.held_bytes();
    let mut most = 0;
    for _ in 0..rounds {
        if !is_read(client, item.to_vec()) {
            break;
        }
        most = most.max(count.held_bytes() - before);
    }
    most
}

fn assert_bounded(name: &str, most: i64, bound: i64) {
    println!("{name}: {most} held of {bound}");
    assert!(most <= FACTOR * bound, "{name}: {most} of {bound}");
    assert!(most >= bound / FACTOR, "{name}: only {most} of {bound}");
}

#[test]
fn what_waits_for_a_verification_takes_no_more_than_twice_its_bound() {
    for smallest in [r#"42/login,[""]"#, "42/login,[0]", "43/login,0[]"] {
        let (address, count) = start(|builder| builder);
        let mut client = join(address);
        client.send(&text("40/login,"));
        assert!(client.hear().starts_with(b"40/login,{"));
        let authenticate = text(r#"42/login,["authenticate",{"token":"x"}]"#);
        assert!(is_read(&mut client, authenticate));
        let most = most_held(count, &mut client, &text(smallest), 10_000);
        assert_bounded(smallest, most, 64 * 1024);
    }
}

#[test]
fn an_incomplete_packet_takes_no_more_than_twice_its_bound() {
    let (address, count) = start(|builder| builder);
    let mut client = join(address);
    let before = count.held_bytes();
    let places: Vec<String> = (0..10)
        .map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#))
        .collect();
    client.send(&text(&format!(r#"4510-["n",{}]"#, places.join(","))));
    let (mut most, mut sent) = (0, 0);
    for _ in 0..9 {
        client.send(&wire::frame(opcode::BINARY, &vec![7; 999_000]));
        sent += 999_000;
        // Nothing is answered in between; what is held shows that it was read.
        while count.held_bytes() - before < sent {
            std::thread::yield_now();
        }
        most = most.max(count.held_bytes() - before);
    }
    assert_bounded("max_attachment_bytes", most, 10_000_000);
}

#[test]
fn what_waits_for_a_client_that_reads_nothing_takes_no_more_than_twice_its_bound() {
    const BOUND: i64 = 1 << 20;
    // What does not fit is dropped, so that what is held stays as it is until the client reads.
    let (address, count) = start(|builder| {
        builder.engine(|config| {
            config
                .max_queued_bytes(usize::try_from(BOUND).unwrap())
                .overflow(OverflowPolicy::DropNew)
        })
    });
    let mut client = join(address);
    let before = count.held_bytes();
    client.send(&text(r#"42["flood",1000000]"#));
    while count.held_bytes() - before < BOUND / FACTOR {
        std::thread::yield_now();
    }
    let mut most = 0;
    for _ in 0..1_000_000 {
        most = most.max(count.held_bytes() - before);
    }
    assert_bounded("max_queued_bytes", most, BOUND);
}

#[test]
fn what_is_kept_for_recovery_takes_no_more_than_twice_its_bound() {
    const BOUND: i64 = 1 << 20;
    let (address, count) = start(|builder| {
        builder.recovery(|recovery| recovery.max_bytes(usize::try_from(BOUND).unwrap()))
    });
    let mut client = join(address);
    let before = count.held_bytes();
    let mut most = 0;
    for _ in 0..40 {
        client.send(&text(r#"42["flood",1000]"#));
        client.send(&text("40/nowhere,"));
        while !client.hear().starts_with(b"44/nowhere,") {}
        most = most.max(count.held_bytes() - before);
    }
    assert_bounded("recovery", most, BOUND);
}
