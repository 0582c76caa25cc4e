//! A client's connection: WebSocket, long-polling, or the one after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::executor::{Task, spawn};
use crate::net::End;
use crate::rng::Rng;
use crate::world::World;

/// Longer than a poll may wait for the next ping.
const PATIENCE: Duration = Duration::from_secs(12);

const TEXT: u8 = 1;
const BINARY: u8 = 2;

#[derive(Debug)]
pub(crate) enum Incoming {
    Packet(String),
    /// How long it is.
    Attachment(usize),
    Upgraded,
    Gone(String),
}

enum Outgoing {
    Packet(String),
    /// Everything behind this goes over the WebSocket.
    Switch(WriteHalf<End>),
}

/// A connection to a server. Dropped, it breaks.
pub(crate) struct Link {
    pub(crate) incoming: UnboundedReceiver<Incoming>,
    outgoing: UnboundedSender<Outgoing>,
    _tasks: Vec<Task>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    WebSocket,
    Polling,
    Upgrade,
}

impl Link {
    pub(crate) async fn open(
        world: &Arc<World>,
        server: usize,
        over: Over,
        rng: &mut Rng,
    ) -> Result<Self, String> {
        let site = Site {
            world: Arc::clone(world),
            server,
            sid: String::new(),
        };
        match over {
            Over::WebSocket => site.open_websocket().await,
            Over::Polling => site.open_polling(None).await,
            Over::Upgrade => site.open_polling(Some(rng.between(0, 3000))).await,
        }
    }

    pub(crate) fn send(&self, packet: String) {
        let _ = self.outgoing.send(Outgoing::Packet(packet));
    }
}

/// Where a session is.
#[derive(Clone)]
struct Site {
    world: Arc<World>,
    server: usize,
    sid: String,
}

/// A WebSocket that may take over, once it has been probed.
type Candidate = Arc<Mutex<Option<(Frames, WriteHalf<End>)>>>;

impl Site {
    async fn open_websocket(self) -> Result<Link, String> {
        let (frames, writer) = patiently(self.websocket()).await?;
        let (arrived, incoming) = unbounded_channel();
        let (outgoing, queue) = unbounded_channel();
        let tasks = vec![
            spawn(read_frames(frames, arrived)),
            spawn(write_frames(writer, queue)),
        ];
        Ok(Link {
            incoming,
            outgoing,
            _tasks: tasks,
        })
    }

    async fn open_polling(mut self, upgrade_after_ms: Option<u64>) -> Result<Link, String> {
        let opening = self.request("GET", "").await?;
        let sid = opening
            .split('"')
            .nth(3)
            .ok_or("an opening without a sid")?;
        self.sid = sid.to_owned();
        let (arrived, incoming) = unbounded_channel();
        let (outgoing, queue) = unbounded_channel();
        let candidate = Candidate::default();
        take_payload(&opening, &arrived);
        let mut tasks = vec![
            spawn(
                self.clone()
                    .poll(Arc::clone(&candidate), arrived.clone(), outgoing.clone()),
            ),
            spawn(self.clone().post(queue, arrived)),
        ];
        if let Some(after) = upgrade_after_ms {
            tasks.push(spawn(self.probe(Duration::from_millis(after), candidate)));
        }
        Ok(Link {
            incoming,
            outgoing,
            _tasks: tasks,
        })
    }

    async fn poll(
        self,
        candidate: Candidate,
        arrived: UnboundedSender<Incoming>,
        outgoing: UnboundedSender<Outgoing>,
    ) {
        loop {
            let probed = candidate
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some((frames, writer)) = probed {
                let _ = outgoing.send(Outgoing::Switch(writer));
                let _ = arrived.send(Incoming::Upgraded);
                return read_frames(frames, arrived).await;
            }
            match self.request("GET", "").await {
                Ok(payload) => take_payload(&payload, &arrived),
                Err(why) => {
                    let _ = arrived.send(Incoming::Gone(format!("GET: {why}")));
                    return;
                }
            }
        }
    }

    async fn post(
        self,
        mut queue: UnboundedReceiver<Outgoing>,
        arrived: UnboundedSender<Incoming>,
    ) {
        let mut next = queue.recv().await;
        while let Some(outgoing) = next.take() {
            let mut packets = match outgoing {
                Outgoing::Switch(mut writer) => {
                    if writer.write_all(&frame("5")).await.is_err() {
                        return;
                    }
                    return write_frames(writer, queue).await;
                }
                Outgoing::Packet(packet) => packet,
            };
            loop {
                match queue.try_recv() {
                    Ok(Outgoing::Packet(packet)) => packets = format!("{packets}\u{1e}{packet}"),
                    Ok(other) => next = Some(other),
                    Err(_) => {}
                }
                if next.is_some() || queue.is_empty() {
                    break;
                }
            }
            match self.request("POST", &packets).await {
                Ok(answer) if answer == "ok" => {}
                Ok(answer) => {
                    let _ = arrived.send(Incoming::Gone(format!("POST answered {answer}")));
                    return;
                }
                Err(why) => {
                    let _ = arrived.send(Incoming::Gone(format!("POST: {why}")));
                    return;
                }
            }
            if next.is_none() {
                next = queue.recv().await;
            }
        }
    }

    async fn probe(self, after: Duration, candidate: Candidate) {
        tokio::time::sleep(after).await;
        let probed = patiently(async {
            let (mut frames, mut writer) = self.websocket().await?;
            writer.write_all(&frame("2probe")).await.map_err(text)?;
            match frames.next().await {
                Some((TEXT, answer)) if answer == b"3probe" => Ok((frames, writer)),
                _ => Err("no answer to the probe".to_owned()),
            }
        });
        // Who cannot upgrade stays with polling.
        if let Ok(probed) = probed.await {
            *candidate.lock().unwrap_or_else(PoisonError::into_inner) = Some(probed);
        }
    }

    async fn websocket(&self) -> Result<(Frames, WriteHalf<End>), String> {
        let mut stream = self.connect()?;
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{} HTTP/1.1\r\nHost: t\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.session()
        );
        stream.write_all(request.as_bytes()).await.map_err(text)?;
        let mut unread = Vec::new();
        let end = loop {
            if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            fill(&mut stream, &mut unread).await?;
        };
        if !unread.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&unread[..end]).into_owned());
        }
        unread.drain(..end);
        let (reader, writer) = tokio::io::split(stream);
        Ok((Frames { reader, unread }, writer))
    }

    async fn request(&self, method: &str, body: &str) -> Result<String, String> {
        patiently(async {
            let mut stream = self.connect()?;
            let request = format!(
                "{method} /socket.io/?EIO=4&transport=polling{} HTTP/1.1\r\nHost: t\r\n\
                 Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
                self.session(),
                body.len()
            );
            stream.write_all(request.as_bytes()).await.map_err(text)?;
            let mut answer = Vec::new();
            while answer.len() < whole_length(&answer) {
                fill(&mut stream, &mut answer).await?;
            }
            let answer = String::from_utf8(answer).map_err(text)?;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
            if !head.starts_with("HTTP/1.1 200") {
                return Err(format!(
                    "{} {body}",
                    head.lines().next().unwrap_or_default()
                ));
            }
            Ok(body.to_owned())
        })
        .await
    }

    fn connect(&self) -> Result<End, String> {
        self.world
            .connect(self.server)
            .ok_or_else(|| "refused".to_owned())
    }

    fn session(&self) -> String {
        match self.sid.as_str() {
            "" => String::new(),
            sid => format!("&sid={sid}"),
        }
    }
}

/// How long the answer is that begins so.
fn whole_length(answer: &[u8]) -> usize {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return usize::MAX;
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    head + 4
        + length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0)
}

async fn patiently<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn fill(stream: &mut End, unread: &mut Vec<u8>) -> Result<(), String> {
    match stream.read_buf(unread).await {
        Ok(0) => Err("the end of the stream".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.kind().to_string()),
    }
}

fn text<E: std::fmt::Display>(error: E) -> String {
    format!("{error}")
}

fn take_payload(payload: &str, arrived: &UnboundedSender<Incoming>) {
    for packet in payload.split('\u{1e}') {
        let _ = arrived.send(match packet.strip_prefix('b') {
            Some(base64) => Incoming::Attachment(decoded_length(base64)),
            None => Incoming::Packet(packet.to_owned()),
        });
    }
}

fn decoded_length(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

async fn read_frames(mut frames: Frames, arrived: UnboundedSender<Incoming>) {
    while let Some((opcode, payload)) = frames.next().await {
        let _ = arrived.send(match opcode {
            TEXT => Incoming::Packet(String::from_utf8_lossy(&payload).into_owned()),
            BINARY => Incoming::Attachment(payload.len()),
            8 => break,
            _ => continue,
        });
    }
    let _ = arrived.send(Incoming::Gone("WebSocket closed".to_owned()));
}

async fn write_frames(mut writer: WriteHalf<End>, mut queue: UnboundedReceiver<Outgoing>) {
    while let Some(Outgoing::Packet(packet)) = queue.recv().await {
        let mut frames = frame(&packet);
        while let Ok(Outgoing::Packet(packet)) = queue.try_recv() {
            frames.extend(frame(&packet));
        }
        if writer.write_all(&frames).await.is_err() {
            return;
        }
    }
}

/// What a server sends over a WebSocket.
struct Frames {
    reader: ReadHalf<End>,
    unread: Vec<u8>,
}

impl Frames {
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((head, length)) = frame_length(&self.unread)
                && self.unread.len() >= head + length
            {
                let payload = self.unread[head..head + length].to_vec();
                let opcode = self.unread[0] & 15;
                self.unread.drain(..head + length);
                return Some((opcode, payload));
            }
            match self.reader.read_buf(&mut self.unread).await {
                Ok(count) if count > 0 => {}
                _ => return None,
            }
        }
    }
}

/// How long the head and the payload are of the frame that begins so.
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
    };
    Some(match bytes.get(1)? & 127 {
        126 => (4, number(bytes.get(2..4)?)),
        127 => (10, number(bytes.get(2..10)?)),
        length => (2, usize::from(length)),
    })
}

/// One frame of text, masked with zeros.
fn frame(packet: &str) -> Vec<u8> {
    let mut frame = vec![0x80 | TEXT];
    match packet.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(packet.as_bytes());
    frame
}
