//! The guide: what a server is made of, by task. Every example is compiled with the tests, and every configuration file
//! is run by them.
//!
//! | to begin | |
//! |---|---|
//! | [`first_steps`] | a server, a page, what happens between them |
//! | [`events`] | what handlers take and answer, rooms, clients that are slow |
//! | [`state`] | what is kept with a socket, and with the server |
//! | [`authentication`] | who may join, for how long |
//! | [`identity`] | what hangs on who a client is, and what happens to it when that changes |
//! | [`coming_from_node`], [`coming_from_socketioxide`] | method by method, type by type |
//!
//! | to put it on the web | |
//! |---|---|
//! | [`axum`] | an application with sessions, cookies, CORS |
//! | [`origins`] | pages of other origins: CORS, WebSockets, cookies |
//! | [`tls`] | without a proxy in front; HTTP/2, Unix sockets |
//! | [`reverse_proxies`] | nginx, HAProxy, Caddy, load balancers |
//! | [`several_servers`] | events between servers, sticky sessions |
//!
//! | to run it | |
//! |---|---|
//! | [`testing`] | a client in memory, a clock that jumps |
//! | [`shutdown`] | draining, deploys |
//! | [`limits`] | what a client can make grow, and what happens then |
//! | [`memory`] | what stays resident, and what gives it back |
//! | [`watching`] | numbers, logs |
//! | [`troubleshooting`] | by symptom |
//!
//! | to copy from, in the folder `examples` | |
//! |---|---|
//! | `echo` | the smallest server |
//! | `hyper_server` | behind a hyper server of one's own, beside its routes, drained at the end |
//! | `web_app` | an axum application: accounts, sessions in SQLite, an authenticator that asks them, CORS |
//! | `chat` | a page with rooms, JSON Web Tokens renewed in band |
//! | `guest_login` | guests who log in later, on the same socket |
//! | `private_messages` | from person to person, with several tabs each; who is online |
//! | `upload` | files in chunks, with progress, bounded |
//! | `dashboard` | numbers that change many times a second, for quick and for slow clients |
//! | `unit_tests` | handlers tested in memory, on a clock that jumps |
//! | `tls` | TLS at the own door, certificates that are renewed |
//! | `http2` | TLS and HTTP/2 behind axum's routes |
//! | `unix_socket` | a listener of one's own: a Unix socket beside a port |
//! | `custom_parser` | another wire format |
//! | `nats_adapter` | an adapter for a bus of one's own, with NATS for the bus |
//! | `classic` | the ways in of older Node modules, for their clients |
//!
//! `cargo run -p socketio --example NAME` runs one; `chat`, `web_app` and `nats_adapter` are packages, `cargo run -p NAME`. Each is run by
//! the tests with a real client. The engine alone is `echo_messages` of the crate `engineio`.
//!
//! What a policy is, and every choice in it, is the guide of the crate `socketio-auth`; here it meets the server.

#[doc = include_str!("guide/authentication.md")]
pub mod authentication {}

#[doc = include_str!("guide/axum.md")]
pub mod axum {}

#[doc = include_str!("guide/coming_from_node.md")]
pub mod coming_from_node {}

#[doc = include_str!("guide/coming_from_socketioxide.md")]
pub mod coming_from_socketioxide {}

#[doc = include_str!("guide/events.md")]
pub mod events {}

#[doc = include_str!("guide/first_steps.md")]
pub mod first_steps {}

#[doc = include_str!("guide/identity.md")]
pub mod identity {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/memory.md")]
pub mod memory {}

#[doc = include_str!("guide/origins.md")]
pub mod origins {}

#[doc = include_str!("guide/reverse_proxies.md")]
pub mod reverse_proxies {}

#[doc = include_str!("guide/several_servers.md")]
pub mod several_servers {}

#[doc = include_str!("guide/shutdown.md")]
pub mod shutdown {}

#[doc = include_str!("guide/state.md")]
pub mod state {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/tls.md")]
pub mod tls {}

#[doc = include_str!("guide/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("guide/watching.md")]
pub mod watching {}
