//! An engine behind each of its doors, whose handler reports what happens and does what messages say.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use engineio::{
    CloseReason, Config, Connection, Engine, Flow, Handler, Message, Payload, Protocol, RequestView,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::{WebSocket, get, spawn, within};

/// Which way connections reach the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// `Engine::serve`.
    Own,
    /// A plain hyper server around `Engine::service`.
    Hyper,
    /// `Engine::serve_stream`, as behind TLS.
    Foreign,
}

impl Door {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Hyper, Self::Foreign];
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Opened,
    Text(String),
    Binary(Vec<u8>),
    Heartbeat,
    Upgrading,
    Upgraded,
    Slow,
    Drained,
    Closed(CloseReason),
}

/// Echoes, unless the message is a command: `!close`, `!abort`, `!panic`, `!pause`, `!quiet …`, `!burst N`.
pub(crate) struct Script {
    events: UnboundedSender<Event>,
    connections: UnboundedSender<Connection<()>>,
}

impl Script {
    fn report(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

impl Handler for Script {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_ready(&self, connection: &Connection<()>) {
        self.report(Event::Opened);
        let _ = self.connections.send(connection.clone());
    }

    fn on_message(&self, connection: &Connection<()>, message: Message<'_>) -> Flow {
        match message.payload() {
            Payload::Text(text) => {
                self.report(Event::Text(text.to_owned()));
                match text.split_once(' ').unwrap_or((text, "")) {
                    ("!close", _) => connection.close(),
                    ("!abort", _) => connection.abort(),
                    ("!panic", _) => panic!("as asked"),
                    ("!pause", _) => return Flow::Pause,
                    ("!quiet", _) => {}
                    ("!burst", count) => {
                        for number in 0..count.parse().unwrap() {
                            let number: u32 = number;
                            connection.send_text(&number.to_string()).unwrap();
                        }
                    }
                    _ => drop(connection.send_text(text)),
                }
            }
            Payload::Binary(data) => {
                self.report(Event::Binary(data.to_vec()));
                let _ = connection.send_binary(data);
            }
            _ => {}
        }
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<()>, reason: CloseReason) {
        self.report(Event::Closed(reason));
    }

    fn on_heartbeat(&self, _: &Connection<()>) {
        self.report(Event::Heartbeat);
    }

    fn on_upgrading(&self, _: &Connection<()>) {
        self.report(Event::Upgrading);
    }

    fn on_upgrade(&self, _: &Connection<()>) {
        self.report(Event::Upgraded);
    }

    fn on_slow(&self, _: &Connection<()>) {
        self.report(Event::Slow);
    }

    fn on_drained(&self, _: &Connection<()>) {
        self.report(Event::Drained);
    }
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) engine: Engine<()>,
    events: UnboundedReceiver<Event>,
    connections: UnboundedReceiver<Connection<()>>,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub(crate) async fn start(door: Door, config: Config) -> Self {
        Self::serving(config, |served: Engine<()>, listener| async move {
            if door == Door::Own {
                let _ = served.serve(listener).await;
                return;
            }
            while let Ok((stream, peer)) = listener.accept().await {
                let engine = served.clone();
                spawn(async move {
                    if door == Door::Foreign {
                        engine.serve_stream(Foreign::new(stream), Some(peer)).await;
                        return;
                    }
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), engine.service().peer(peer))
                        .with_upgrades()
                        .await;
                });
            }
        })
        .await
    }

    /// An engine that is served in any way.
    pub(crate) async fn serving<F>(
        config: Config,
        serve: impl FnOnce(Engine<()>, TcpListener) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (events, reported) = unbounded_channel();
        let (connections, opened) = unbounded_channel();
        let script = Script {
            events,
            connections,
        };
        let engine = Engine::new(config, script).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = spawn(serve(engine.clone(), listener));
        Self {
            addr,
            engine,
            events: reported,
            connections: opened,
            accepting,
        }
    }

    /// The next thing the handler was told.
    pub(crate) async fn event(&mut self) -> Event {
        within(self.events.recv()).await.unwrap()
    }

    /// The next session's connection, behind its `Opened` event.
    pub(crate) async fn opened(&mut self) -> Connection<()> {
        assert_eq!(self.event().await, Event::Opened);
        within(self.connections.recv()).await.unwrap()
    }

    /// Skips events up to a close; its reason.
    pub(crate) async fn closed(&mut self) -> CloseReason {
        loop {
            if let Event::Closed(reason) = self.event().await {
                return reason;
            }
        }
    }

    /// A new polling session of protocol 4: its id.
    pub(crate) async fn handshake(&self) -> String {
        get(self.addr, "/engine.io/?EIO=4&transport=polling")
            .await
            .sid()
    }

    /// What has to hold after every attack: a fresh client is served, and neither a session nor a connection stays.
    pub(crate) async fn is_well(&self) {
        let target = "/engine.io/?EIO=4&transport=websocket";
        let mut socket = WebSocket::open(self.addr, target).await;
        socket.sid().await;
        socket.send("4well?").await;
        assert_eq!(socket.text().await, "4well?");
        drop(socket);
        self.until_gone().await;
    }

    /// Waits until neither a session nor a connection is left.
    pub(crate) async fn until_gone(&self) {
        self.until_empty().await;
        within(async {
            while self.connection_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The descriptors that the server holds beside the one it listens on.
    fn connection_count(&self) -> usize {
        const LISTENING: &str = "0A";
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let port = format!(":{:04X}", self.addr.port());
        let inodes: Vec<String> = table
            .lines()
            .filter_map(|line| {
                let fields: Vec<_> = line.split_whitespace().collect();
                let is_served = fields.get(1)?.ends_with(&port) && *fields.get(3)? != LISTENING;
                is_served.then(|| format!("socket:[{}]", fields[9]))
            })
            .collect();
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter(|link| inodes.iter().any(|inode| link.as_os_str() == &**inode))
            .count()
    }

    /// Waits until no session is left.
    pub(crate) async fn until_empty(&self) {
        within(async {
            while self.engine.session_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A TCP stream that does not show what it is. It takes small bites, so that every write is cut short.
pub(crate) struct Foreign {
    stream: Mutex<TcpStream>,
}

impl Foreign {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream: Mutex::new(stream),
        }
    }
}

impl AsyncRead for Foreign {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(self.stream.get_mut().unwrap()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Foreign {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let bite = &bytes[..bytes.len().min(1_000)];
        Pin::new(self.stream.get_mut().unwrap()).poll_write(cx, bite)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(self.stream.get_mut().unwrap()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(self.stream.get_mut().unwrap()).poll_shutdown(cx)
    }
}
