//! A client over long-polling, with a connection for each request.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// Between the packets of a payload.
const SEPARATOR: char = '\u{1e}';

/// A session over long-polling that has joined `/`.
pub(crate) struct Polling {
    address: SocketAddr,
    pub(crate) sid: String,
}

impl Polling {
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let mut client = Self {
            address,
            sid: String::new(),
        };
        let opening = client.get().await.remove(0);
        client.sid = opening.split('"').nth(3).unwrap().to_owned();
        client.post(&["40".to_owned()]).await;
        let reply = client.get().await.remove(0);
        assert!(reply.starts_with("40{"), "{reply}");
        client
    }

    /// Sends packets in one payload.
    pub(crate) async fn post(&self, packets: &[String]) {
        let payload = packets.join(&SEPARATOR.to_string());
        assert_eq!(self.request("POST", &payload).await, "ok");
    }

    /// The packets a poll is answered with.
    pub(crate) async fn get(&self) -> Vec<String> {
        let payload = self.request("GET", "").await;
        payload.split(SEPARATOR).map(str::to_owned).collect()
    }

    async fn request(&self, method: &str, body: &str) -> String {
        let sid = match self.sid.as_str() {
            "" => String::new(),
            sid => format!("&sid={sid}"),
        };
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: t\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        within(async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
            assert!(!head.contains("chunked"), "{head}");
            body.to_owned()
        })
        .await
    }
}
