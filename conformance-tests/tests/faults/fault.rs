//! A fault: what a broken server does, as rewritings of what a right one does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use conformance_tests::Profile;

use crate::frame::Frame;

/// A request's head on its way to the server.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) text: String,
    /// What the fault remembers across connections.
    pub(crate) memory: Memory,
}

impl Head {
    pub(crate) fn method(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn target(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    /// A query parameter as it stands there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target().split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    pub(crate) fn sid(&self) -> &str {
        self.parameter("sid").unwrap_or_default()
    }

    pub(crate) fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.split("\r\n").skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A poll of a session.
    pub(crate) fn is_poll(&self) -> bool {
        self.method() == "GET" && !self.sid().is_empty() && !self.is_upgrade()
    }

    /// Replaces in the request line only.
    pub(crate) fn retarget(&mut self, from: &str, to: &str) {
        let (line, rest) = self.text.split_once("\r\n").unwrap_or_default();
        self.text = format!("{}\r\n{rest}", line.replace(from, to));
    }

    /// Takes a header away.
    pub(crate) fn strip(&mut self, name: &str) {
        let kept: Vec<&str> = self
            .text
            .split("\r\n")
            .filter(|line| {
                line.split_once(':')
                    .is_none_or(|(known, _)| !known.eq_ignore_ascii_case(name))
            })
            .collect();
        self.text = kept.join("\r\n");
    }
}

/// Words that a fault remembers, shared by all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<HashSet<String>>>);

impl Memory {
    pub(crate) fn note(&self, word: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(word.to_owned());
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(word)
    }
}

/// An answer on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn strip(&mut self, name: &str) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.strip(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Replaces text in the body.
    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        if let Ok(text) = std::str::from_utf8(&self.body) {
            self.body = text.replace(from, to).into_bytes();
        }
    }
}

/// What the proxy does beside rewriting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Polls of a session wait for each other, so that none overlap.
    QueuePolls,
    /// POSTs of a session wait for each other.
    QueuePosts,
    /// All requests of a session wait for each other.
    QueueAll,
    /// The server does not hear that a client has gone.
    KeepServerSide,
    /// A client whose request was destroyed gets ok.
    ForgiveDestroyed,
    /// Frames that arrive together are handled in reverse.
    ReverseFrames,
    /// The packets of a payload are handled in reverse.
    ReversePayloads,
}

type BodyRewrite = fn(&Head, Vec<u8>) -> Vec<u8>;
type PacketRewrite = fn(&Head, &str) -> Vec<String>;
type FrameRewrite = fn(&Head, Frame) -> Vec<Frame>;

/// A broken server, as rewritings of a right one's traffic.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) profile: Profile,
    pub(crate) port_offset: u16,
    /// Rules each of which must lose a case.
    pub(crate) rules: Vec<&'static str>,
    pub(crate) on_head: Option<fn(&mut Head)>,
    pub(crate) on_body: Option<BodyRewrite>,
    pub(crate) instead: Option<fn(&Head) -> Option<Answer>>,
    pub(crate) on_answer: Option<fn(&Head, &mut Answer)>,
    pub(crate) to_client: Option<FrameRewrite>,
    pub(crate) to_server: Option<FrameRewrite>,
    pub(crate) packet_out: Option<PacketRewrite>,
    pub(crate) packet_in: Option<PacketRewrite>,
    pub(crate) late: Option<fn(&Frame) -> u64>,
    pub(crate) habit: Option<Habit>,
}

impl Fault {
    /// `rules` are separated by spaces.
    pub(crate) fn new(name: &'static str, profile: Profile, rules: &'static str) -> Self {
        Self {
            name,
            profile,
            port_offset: 0,
            rules: rules.split_whitespace().collect(),
            on_head: None,
            on_body: None,
            instead: None,
            on_answer: None,
            to_client: None,
            to_server: None,
            packet_out: None,
            packet_in: None,
            late: None,
            habit: None,
        }
    }

    /// On that port of the matrix.
    pub(crate) fn port(mut self, offset: u16) -> Self {
        self.port_offset = offset;
        self
    }

    /// Rewrites request heads.
    pub(crate) fn head(mut self, rewrite: fn(&mut Head)) -> Self {
        self.on_head = Some(rewrite);
        self
    }

    /// Rewrites the bodies of POSTs.
    pub(crate) fn body(mut self, rewrite: BodyRewrite) -> Self {
        self.on_body = Some(rewrite);
        self
    }

    /// Answers in the server's place.
    pub(crate) fn instead(mut self, answer: fn(&Head) -> Option<Answer>) -> Self {
        self.instead = Some(answer);
        self
    }

    /// Rewrites answers.
    pub(crate) fn answer(mut self, rewrite: fn(&Head, &mut Answer)) -> Self {
        self.on_answer = Some(rewrite);
        self
    }

    /// Rewrites frames towards the client.
    pub(crate) fn frames_out(mut self, rewrite: FrameRewrite) -> Self {
        self.to_client = Some(rewrite);
        self
    }

    /// Rewrites frames towards the server.
    pub(crate) fn frames_in(mut self, rewrite: FrameRewrite) -> Self {
        self.to_server = Some(rewrite);
        self
    }

    /// Rewrites the server's text packets on either transport.
    pub(crate) fn packets_out(mut self, rewrite: PacketRewrite) -> Self {
        self.packet_out = Some(rewrite);
        self
    }

    /// Rewrites the client's text packets on either transport.
    pub(crate) fn packets_in(mut self, rewrite: PacketRewrite) -> Self {
        self.packet_in = Some(rewrite);
        self
    }

    /// Holds frames towards the client back for so many milliseconds.
    pub(crate) fn late(mut self, millis: fn(&Frame) -> u64) -> Self {
        self.late = Some(millis);
        self
    }

    pub(crate) fn habit(mut self, habit: Habit) -> Self {
        self.habit = Some(habit);
        self
    }
}
