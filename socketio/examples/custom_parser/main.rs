//! A wire format of one's own: packets as lines of text, for clients too small for JSON.
//!
//! Run it with `cargo run -p socketio --example custom_parser`, open a WebSocket to
//! `ws://127.0.0.1:3000/socket.io/?EIO=4&transport=websocket`, and send `4+` to connect and `4say 1 hello` to be
//! answered.

mod lines;

use socketio::parser::Codec;
use socketio::{Ack, BuildError, SocketIo};
use tokio::net::TcpListener;

use self::lines::Lines;

fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::builder().codec(Codec::custom(Lines)).build()?;
    io.namespace("/")
        .on("say", |socket, text: String| async move {
            let _ = socket.broadcast().emit("said", &text);
            Ack(text.to_uppercase())
        })
        .open()?;
    Ok(io)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    build()?.serve(listener).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use socketio::testing::TestClient;

    #[tokio::test]
    async fn clients_talk_in_lines() {
        let io = super::build().unwrap();
        let mut ada = TestClient::open(&io).await;
        let mut bob = TestClient::open(&io).await;
        for client in [&mut ada, &mut bob] {
            client.send("4+").await;
            client.expect("4+").await;
        }
        ada.send("4say 7 good morning").await;
        ada.expect("4! 7 GOOD MORNING").await;
        bob.expect("4said - good morning").await;
        bob.send("4-").await;
        ada.send("4say").await;
        ada.expect_closed().await;
    }

    #[tokio::test]
    async fn a_refusal_is_a_line_too() {
        let io = super::build().unwrap();
        let mut client = TestClient::open(&io).await;
        client.send("4+/absent").await;
        client.expect("4?/absent Invalid namespace").await;
    }
}
