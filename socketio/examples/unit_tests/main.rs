//! An auction, and tests of its handlers: in memory, without ports, on a clock that jumps.
//!
//! `cargo test -p socketio --example unit_tests` runs them, `cargo run -p socketio --example unit_tests` the auction.
//! From Node:
//!
//! ```js
//! const socket = io("http://127.0.0.1:3000", { auth: { name: "ann" } });
//! socket.on("bid", (name, amount) => console.log(name, "bids", amount));
//! socket.on("sold", (name, amount) => console.log("sold to", name, "for", amount));
//! console.log(await socket.emitWithAck("bid", 100)); // 100, or { error: "more than 100, please" }
//! console.log(await socket.emitWithAck("hammer")); // true, ten seconds later, if nobody has bid more
//! ```

mod auction;

use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    auction::build()?.serve(listener).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
