//! A proxy in front of a right server that makes it a broken one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fault::{Answer, Fault, Habit, Head, Memory};
use crate::frame::{CLOSE, Frame, TEXT};

const SEPARATOR: char = '\u{1e}';

/// One fault in front of one server.
pub(crate) struct Proxy {
    fault: Fault,
    upstream: String,
    memory: Memory,
    queues: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Proxy {
    pub(crate) fn new(fault: Fault, upstream: String) -> Self {
        Self {
            fault,
            upstream,
            memory: Memory::default(),
            queues: Mutex::default(),
        }
    }

    /// Serves until dropped.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        connections.spawn(self.clone().connection(client));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, client: TcpStream) {
        client.set_nodelay(true).ok();
        let (client_in, mut client_out) = client.into_split();
        let mut client_in = BufReader::new(client_in);
        let Some(mut head) = self.head(&mut client_in).await else {
            return;
        };
        if let Some(answer) = self.fault.instead.and_then(|instead| instead(&head)) {
            // What was sent is read first, else closing would reset the connection.
            if head.method() == "POST" {
                let _ =
                    tokio::time::timeout(Duration::from_millis(20), body(&mut client_in, &head))
                        .await;
            }
            client_out.write_all(&written(&head, &answer)).await.ok();
            return;
        }
        if let Some(rewrite) = self.fault.on_head {
            rewrite(&mut head);
        }
        let queue = self.queue(&head);
        let _turn = match &queue {
            Some(queue) => Some(queue.lock().await),
            None => None,
        };
        let Ok(server) = TcpStream::connect(&self.upstream).await else {
            return;
        };
        server.set_nodelay(true).ok();
        let (server_in, mut server_out) = server.into_split();
        let sends_body = self.fault.on_body.is_some()
            || self.fault.packet_in.is_some()
            || self.fault.habit == Some(Habit::ReversePayloads);
        if sends_body && head.method() == "POST" {
            let sent = body(&mut client_in, &head).await;
            let sent = self.request_body(&head, sent);
            head.strip("content-length");
            head.strip("transfer-encoding");
            let text = head.text.trim_end().to_owned();
            head.text = format!("{text}\r\nContent-Length: {}\r\n\r\n", sent.len());
            server_out.write_all(head.text.as_bytes()).await.ok();
            server_out.write_all(&sent).await.ok();
        } else {
            server_out.write_all(head.text.as_bytes()).await.ok();
        }
        let exchange = Exchange {
            proxy: &self,
            head: &head,
        };
        exchange
            .run(client_in, client_out, server_in, server_out)
            .await;
    }

    /// Reads a request's head; bytes that are none go to the server as they are, later.
    async fn head(&self, client: &mut BufReader<OwnedReadHalf>) -> Option<Head> {
        let mut text = Vec::new();
        loop {
            let count = client.read_until(b'\n', &mut text).await.ok()?;
            if count == 0 {
                return None;
            }
            if text.ends_with(b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&text).into_owned();
                return Some(Head {
                    text,
                    memory: self.memory.clone(),
                });
            }
        }
    }

    fn queue(&self, head: &Head) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let is_queued = match self.fault.habit? {
            Habit::QueuePolls => head.is_poll(),
            Habit::QueuePosts => head.method() == "POST",
            Habit::QueueAll => !head.sid().is_empty(),
            _ => false,
        };
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        is_queued.then(|| queues.entry(head.sid().to_owned()).or_default().clone())
    }

    fn request_body(&self, head: &Head, body: Vec<u8>) -> Vec<u8> {
        let body = match self.fault.on_body {
            Some(rewrite) => rewrite(head, body),
            None => body,
        };
        let Ok(text) = std::str::from_utf8(&body) else {
            return body;
        };
        if let Some(rewrite) = self.fault.packet_in {
            let packets: Vec<String> = text
                .split(SEPARATOR)
                .flat_map(|packet| rewrite(head, packet))
                .collect();
            return packets.join("\u{1e}").into_bytes();
        }
        if self.fault.habit == Some(Habit::ReversePayloads) {
            let packets: Vec<&str> = text.split(SEPARATOR).rev().collect();
            return packets.join("\u{1e}").into_bytes();
        }
        body
    }
}

/// One connection's traffic after its request.
struct Exchange<'a> {
    proxy: &'a Proxy,
    head: &'a Head,
}

impl Exchange<'_> {
    async fn run(
        &self,
        client_in: BufReader<OwnedReadHalf>,
        client_out: OwnedWriteHalf,
        server_in: OwnedReadHalf,
        server_out: OwnedWriteHalf,
    ) {
        let upgrading = self.head.is_upgrade();
        let keeps = self.proxy.fault.habit == Some(Habit::KeepServerSide);
        let up = async {
            let server_out = self.up(client_in, server_out, upgrading).await;
            if keeps {
                // The server's side stays open long after the client has gone.
                tokio::time::sleep(Duration::from_secs(5)).await;
            } else {
                drop(server_out);
            }
        };
        let down = self.down(server_in, client_out);
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut down => {}
            // The client's direction may end before the server has said its last.
            () = &mut up => {
                let _ = tokio::time::timeout(Duration::from_millis(300), down).await;
            }
        }
    }

    /// From the client to the server, until the client has ended.
    async fn up(
        &self,
        mut client: BufReader<OwnedReadHalf>,
        mut server: OwnedWriteHalf,
        upgrading: bool,
    ) -> OwnedWriteHalf {
        let fault = &self.proxy.fault;
        let sees_frames = upgrading
            && (fault.to_server.is_some()
                || fault.packet_in.is_some()
                || fault.habit == Some(Habit::ReverseFrames));
        if !sees_frames {
            tokio::io::copy_buf(&mut client, &mut server).await.ok();
            return server;
        }
        while let Some(frame) = Frame::read(&mut client).await {
            let mut frames = vec![frame];
            while fault.habit == Some(Habit::ReverseFrames) && !client.buffer().is_empty() {
                match Frame::read(&mut client).await {
                    Some(frame) => frames.insert(0, frame),
                    None => break,
                }
            }
            for frame in frames.into_iter().flat_map(|frame| self.upward(frame)) {
                if server.write_all(&frame.bytes()).await.is_err() {
                    return server;
                }
            }
        }
        server
    }

    fn upward(&self, frame: Frame) -> Vec<Frame> {
        let fault = &self.proxy.fault;
        if let (Some(rewrite), Some(text)) = (fault.packet_in, frame.text()) {
            let masked = |text: String| Frame {
                is_masked: true,
                ..Frame::new(TEXT, text)
            };
            return rewrite(self.head, text).into_iter().map(masked).collect();
        }
        match fault.to_server {
            Some(rewrite) => rewrite(self.head, frame),
            None => vec![frame],
        }
    }

    /// From the server to the client.
    async fn down(&self, server: OwnedReadHalf, mut client: OwnedWriteHalf) {
        let mut server = BufReader::new(server);
        let fault = &self.proxy.fault;
        while let Some(mut answer) = read_answer(&mut server, self.head).await {
            let is_open = answer.status == 101;
            if let Some(rewrite) = fault.on_answer {
                rewrite(self.head, &mut answer);
            }
            if let (Some(rewrite), true) = (fault.packet_out, self.is_payload(&answer)) {
                let text = answer.text();
                let packets = text
                    .split(SEPARATOR)
                    .flat_map(|packet| rewrite(self.head, packet));
                let packets: Vec<String> = packets.collect();
                let body = if packets.is_empty() {
                    "6".to_owned()
                } else {
                    packets.join("\u{1e}")
                };
                answer.body = body.into_bytes();
            }
            if client
                .write_all(&written(self.head, &answer))
                .await
                .is_err()
            {
                return;
            }
            if is_open {
                return self.frames_down(server, client).await;
            }
        }
        if fault.habit == Some(Habit::ForgiveDestroyed) {
            client
                .write_all(&written(self.head, &Answer::new(200, "ok")))
                .await
                .ok();
        }
    }

    fn is_payload(&self, answer: &Answer) -> bool {
        self.head.method() == "GET" && answer.status == 200 && !answer.body.starts_with(b"___eio")
    }

    async fn frames_down(&self, mut server: BufReader<OwnedReadHalf>, mut client: OwnedWriteHalf) {
        let fault = &self.proxy.fault;
        while let Some(frame) = Frame::read(&mut server).await {
            if let Some(late) = fault.late {
                tokio::time::sleep(Duration::from_millis(late(&frame))).await;
            }
            for frame in self.downward(frame) {
                if client.write_all(&frame.bytes()).await.is_err() {
                    return;
                }
            }
        }
    }

    fn downward(&self, frame: Frame) -> Vec<Frame> {
        let fault = &self.proxy.fault;
        if frame.opcode == CLOSE {
            self.head
                .memory
                .note(&format!("closed {}", self.head.sid()));
        }
        if let (Some(rewrite), Some(text)) = (fault.packet_out, frame.text()) {
            let packets = rewrite(self.head, text);
            return packets
                .into_iter()
                .map(|text| Frame::new(TEXT, text))
                .collect();
        }
        match fault.to_client {
            Some(rewrite) => rewrite(self.head, frame),
            None => vec![frame],
        }
    }
}

/// A request's whole body.
async fn body(client: &mut BufReader<OwnedReadHalf>, head: &Head) -> Vec<u8> {
    let mut body = Vec::new();
    if head.header("transfer-encoding").is_some() {
        chunks(client, &mut body).await;
    } else {
        let length = head
            .header("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        client.take(length).read_to_end(&mut body).await.ok();
    }
    body
}

async fn chunks(stream: &mut BufReader<OwnedReadHalf>, body: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.is_err() {
            return;
        }
        let Ok(length) = u64::from_str_radix(line.trim(), 16) else {
            return;
        };
        stream.take(length).read_to_end(body).await.ok();
        stream.read_line(&mut line).await.ok();
        if length == 0 {
            return;
        }
    }
}

async fn read_answer(server: &mut BufReader<OwnedReadHalf>, head: &Head) -> Option<Answer> {
    let mut line = String::new();
    if server.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut answer = Answer::new(line.split(' ').nth(1)?.parse().ok()?, "");
    loop {
        line.clear();
        server.read_line(&mut line).await.ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => answer
                .headers
                .push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    if matches!(answer.status, 101 | 204 | 304) || head.method() == "HEAD" {
        return Some(answer);
    }
    if answer.header("transfer-encoding").is_some() {
        let mut body = Vec::new();
        chunks(server, &mut body).await;
        answer.body = body;
        answer.strip("transfer-encoding");
    } else if let Some(length) = answer
        .header("content-length")
        .and_then(|text| text.parse().ok())
    {
        server.take(length).read_to_end(&mut answer.body).await.ok();
    } else {
        server.read_to_end(&mut answer.body).await.ok();
    }
    Some(answer)
}

fn written(head: &Head, answer: &Answer) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} As It Is\r\n", answer.status);
    let has_body = !matches!(answer.status, 101 | 204 | 304);
    for (name, value) in &answer.headers {
        if !(has_body && name.eq_ignore_ascii_case("content-length")) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if has_body {
        text.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    if head.method() != "HEAD" {
        bytes.extend_from_slice(&answer.body);
    }
    bytes
}
