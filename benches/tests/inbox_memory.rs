//! What a client can make a server hold by sending events that have to wait: bytes, counted, against the bounds that are
//! named.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[allow(dead_code, reason = "other tests use more of it")]
mod client;
mod counted;
mod socket_client;

use std::net::SocketAddr;

use benches::allocations::{Count, Counting};
use benches::wire::{self, opcode};
use socket_client::{is_read, join, text};
use socketio::{SocketIo, SocketIoBuilder};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bound that is filled.
const BOUND: i64 = 1 << 20;

/// What is held may be so many times what is named, and not less than one in as many.
const FACTOR: i64 = 2;

/// One handler that waits, as the documentation of `max_handlers_in_flight` has it, without what it keeps itself.
const WAITING_BYTES: i64 = 700;

/// A server whose handlers wait without an end: `wait` for nothing, `ask` for its client.
fn start(
    change: impl FnOnce(SocketIoBuilder) -> SocketIoBuilder + Send + 'static,
) -> (SocketAddr, Count) {
    counted::start(|listener| async move {
        let io = change(SocketIo::builder()).build().unwrap();
        io.namespace("/")
            .on("wait", |_, (): ()| std::future::pending::<()>())
            .on("ask", |socket, (): ()| async move {
                let _ = socket.emit_with_ack::<()>("question", &()).await;
            })
            .open()
            .unwrap();
        io.serve(listener).await.unwrap();
    })
}

fn assert_bounded(name: &str, event: &[u8]) {
    let (address, count) = start(|builder| {
        builder
            .max_handlers_in_flight(1)
            .inbox_overflow_bytes(usize::try_from(BOUND).unwrap())
    });
    let mut client = join(address);
    client.send(&text(r#"42["ask"]"#));
    assert_eq!(client.hear(), br#"420["question"]"#);
    let before = count.held_bytes();
    let (mut held, mut most) = (0, 0);
    while is_read(&mut client, event.repeat(50)) {
        held = count.held_bytes() - before;
        most = held.max(most);
    }
    println!("{name}: {held} held of {BOUND}");
    assert!(most <= FACTOR * BOUND, "{name}: {most} of {BOUND}");
    assert!(held >= BOUND / FACTOR, "{name}: only {held} of {BOUND}");
}

#[test]
fn what_waits_takes_no_more_than_twice_the_bound_however_small_it_is() {
    assert_bounded("the smallest", &text("42[0]"));
    assert_bounded("named", &text(r#"42["event"]"#));
    assert_bounded(
        "with text",
        &text(&format!(r#"42["event","{}"]"#, "x".repeat(500))),
    );
    let attached = [
        text(r#"452-["event",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#),
        wire::frame(opcode::BINARY, &[7; 100]),
        wire::frame(opcode::BINARY, b""),
    ];
    assert_bounded("with attachments", &attached.concat());
}

#[test]
fn a_handler_that_waits_costs_what_is_said() {
    const HANDLERS: usize = 1_000;
    let (address, count) = start(|builder| builder);
    let mut client = join(address);
    let before = count.held_bytes();
    assert!(is_read(&mut client, text(r#"42["wait"]"#).repeat(HANDLERS)));
    let each = (count.held_bytes() - before) / i64::try_from(HANDLERS).unwrap();
    println!("a handler that waits: {each} bytes");
    assert!(each <= WAITING_BYTES, "{each} > {WAITING_BYTES}");
}
