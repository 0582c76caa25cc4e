//! A dashboard: numbers that change many times a second, for clients that are quick and for clients that are not.
//!
//! Of each gauge only the latest value is of interest. So they are sent with a key of conflation: while a value waits
//! for a slow client, the next one of the same key takes its place. Nobody waits for anybody, and what waits for a
//! client is never more than one value of each gauge.
//!
//! Run it with `cargo run -p socketio --example dashboard`, and from Node:
//!
//! ```js
//! const socket = io("http://127.0.0.1:3000");
//! socket.on("gauge", (name, value) => console.log(name, value));
//! ```

use std::time::Duration;

use socketio::engineio::Cors;
use socketio::{Args, BuildError, EmitError, Namespace, SocketIo};
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often each gauge is read.
const PERIOD: Duration = Duration::from_millis(20);

/// What is measured. A real one would ask the operating system, a queue, a database.
struct Gauges {
    board: Namespace<()>,
    started: Instant,
}

impl Gauges {
    /// Sends the gauges for as long as the program runs.
    async fn watch(self) -> Result<(), EmitError> {
        let mut ticks = interval(PERIOD);
        // After a pause there is nothing to catch up with.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let seconds = (ticks.tick().await - self.started).as_secs_f64();
            self.show("uptime", seconds)?;
            self.show("load", 50.0 + 50.0 * seconds.sin())?;
            let viewers = u32::try_from(self.board.socket_count()).unwrap_or(u32::MAX);
            self.show("viewers", viewers.into())?;
        }
    }

    /// To everyone: encoded once, and the only value of this name that waits for whoever is slow.
    fn show(&self, name: &str, value: f64) -> Result<(), EmitError> {
        let everyone = self.board.everyone().conflate(name);
        everyone.emit("gauge", &Args((name, value)))?;
        Ok(())
    }
}

fn build() -> Result<(SocketIo, Gauges), BuildError> {
    let io = SocketIo::builder()
        .engine(|engine| engine.cors(Cors::any()))
        .build()?;
    let board = io.namespace("/").open()?;
    let started = Instant::now();
    Ok((io, Gauges { board, started }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let (io, gauges) = build()?;
    tokio::select! {
        served = io.serve(listener) => served?,
        shown = gauges.watch() => shown?,
    }
    Ok(())
}
