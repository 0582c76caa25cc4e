//! Engine.IO 4 and 3 server.

#![forbid(unsafe_code)]
#![allow(dead_code, reason = "placeholder until the shell lands")]

mod http;
mod packet;
mod payload;
mod proto;
mod server;
mod websocket;
