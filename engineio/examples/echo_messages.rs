//! Sends every message back on its session.
//!
//! Run it with `cargo run -p engineio --example echo_messages`, then connect any Engine.IO client to
//! `http://127.0.0.1:3000`.

use engineio::{
    CloseReason, Config, Connection, Cors, Engine, Flow, Handler, Message, Payload, Protocol,
    RequestView,
};
use tokio::net::TcpListener;

struct Echo;

impl Handler for Echo {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_message(&self, connection: &Connection<()>, message: Message<'_>) -> Flow {
        let sent = match message.payload() {
            Payload::Text(text) => connection.send_text(text),
            Payload::Binary(data) => connection.send_binary(data),
            _ => Ok(()),
        };
        if let Err(error) = sent {
            eprintln!("not echoed: {error}");
        }
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<()>, reason: CloseReason) {
        eprintln!("closed: {reason}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new(Config::new().cors(Cors::any()), Echo)?;
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    engine.serve(listener).await?;
    Ok(())
}
