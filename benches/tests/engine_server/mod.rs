//! An engine on a thread of its own whose allocations are counted.

use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};

use benches::allocations::Count;
use engineio::{
    CloseReason, Config, Connection, EncodedMessage, Engine, Flow, Handler, Message, Payload,
    Protocol, RequestView,
};

use crate::counted;

/// What a client asks for.
pub(crate) const TARGET: &str = "/engine.io/?EIO=4&transport=websocket";

/// Echoes; text that begins with `!` goes to everyone, encoded once.
#[derive(Default)]
struct Echo {
    everyone: Mutex<Vec<Connection<()>>>,
}

impl Handler for Echo {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_ready(&self, connection: &Connection<()>) {
        self.everyone.lock().unwrap().push(connection.clone());
    }

    fn on_message(&self, connection: &Connection<()>, message: Message<'_>) -> Flow {
        match message.payload() {
            Payload::Text(text) if text.starts_with('!') => {
                let message = EncodedMessage::text(text);
                for connection in &*self.everyone.lock().unwrap() {
                    connection.send(&message).unwrap();
                }
            }
            Payload::Text(text) => connection.send_text(text).unwrap(),
            Payload::Binary(data) => connection.send_binary(data).unwrap(),
            _ => {}
        }
        Flow::Continue
    }

    fn on_close(&self, connection: &Connection<()>, _: CloseReason) {
        let mut everyone = self.everyone.lock().unwrap();
        everyone.retain(|other| other != connection);
    }
}

/// Starts it; it ends with the process.
#[allow(dead_code, reason = "not every test has options")]
pub(crate) fn start() -> (SocketAddr, Count) {
    let (address, count, _) = start_with(Config::new());
    (address, count)
}

/// The same with options.
pub(crate) fn start_with(config: Config) -> (SocketAddr, Count, Engine<()>) {
    let (tell, told) = mpsc::channel();
    let (address, count) = counted::start(move |listener| async move {
        let engine = Engine::new(config, Echo::default()).unwrap();
        tell.send(engine.clone()).unwrap();
        engine.serve(listener).await.unwrap();
    });
    (address, count, told.recv().unwrap())
}
