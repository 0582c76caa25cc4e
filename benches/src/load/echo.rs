//! Messages that come back.

use std::time::{Duration, Instant};

use super::deflate;
use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::scenario::Content;
use super::session::{keep_house, open_sessions};
use super::target::{Dialect, Failure, Sample, Target};
use crate::wire::{self, opcode};

/// Clients, each with its messages under way.
const CLIENTS: usize = 100;

/// The frames of one message, and of its answer.
struct Exchange {
    request: Vec<u8>,
    answer: Vec<(u8, Vec<u8>)>,
}

impl Exchange {
    fn new(target: &Target, content: Content, bytes: usize) -> Self {
        let text = target.text(bytes);
        let data = vec![0x5a; bytes];
        let mut request = Vec::new();
        let answer = match (target.dialect, content) {
            (Dialect::Engine, Content::Text) => {
                let message = format!("4{text}").into_bytes();
                request = target.frame(&format!("4{text}"));
                vec![(opcode::TEXT, message)]
            }
            (Dialect::Engine, Content::Binary) => {
                wire::write_frame(&mut request, opcode::BINARY, &data);
                vec![(opcode::BINARY, data)]
            }
            (Dialect::Socket, Content::Text) => {
                let event = format!("42[\"message\",\"{text}\"]");
                request = target.frame(&event);
                let back = format!("42[\"message-back\",\"{text}\"]");
                vec![(opcode::TEXT, back.into_bytes())]
            }
            (Dialect::Socket, Content::Binary) => {
                let placeholder = "{\"_placeholder\":true,\"num\":0}";
                let event = format!("451-[\"message\",{placeholder}]");
                wire::write_frame(&mut request, opcode::TEXT, event.as_bytes());
                wire::write_frame(&mut request, opcode::BINARY, &data);
                let back = format!("451-[\"message-back\",{placeholder}]");
                vec![(opcode::TEXT, back.into_bytes()), (opcode::BINARY, data)]
            }
        };
        Self { request, answer }
    }
}

#[derive(Clone, Default)]
struct Client {
    /// Frames of the next answer that have come.
    parts: usize,
    outstanding: usize,
    /// When the messages under way were sent, oldest first.
    sent: Vec<Instant>,
}

struct Echo {
    /// Of one client, as many as may be under way: a prefix of it is sent at once.
    requests: Vec<u8>,
    request_bytes: usize,
    answer: Vec<(u8, Vec<u8>)>,
    clients: Vec<Client>,
    outstanding: usize,
    is_stopping: bool,
    units: u64,
    latencies: Latencies,
}

pub(super) fn play(
    target: &Target,
    bytes: usize,
    in_flight: usize,
    content: Content,
    time: Duration,
) -> Result<Sample, Failure> {
    let mut net = Net::new(target)?;
    let links = open_sessions(&mut net, target, CLIENTS)?;
    let exchange = Exchange::new(target, content, bytes);
    let mut echo = Echo {
        requests: exchange.request.repeat(in_flight),
        request_bytes: exchange.request.len(),
        answer: exchange.answer,
        clients: vec![Client::default(); CLIENTS],
        outstanding: 0,
        is_stopping: false,
        units: 0,
        latencies: Latencies::default(),
    };
    echo.run(&mut net, &links, in_flight, time / 5)?;
    let warm_up_units = std::mem::take(&mut echo.units);
    echo.latencies = Latencies::default();
    let before = target.cpu_nanos()?;
    let started = Instant::now();
    echo.run(&mut net, &links, in_flight, time)?;
    Ok(Sample {
        units: echo.units,
        warm_up_units,
        wall: started.elapsed(),
        cpu_nanos: target.cpu_nanos()? - before,
        latencies: echo.latencies,
        resident: None,
    })
}

impl Echo {
    /// Keeps messages under way for a time, then hears all that is still to come.
    fn run(
        &mut self,
        net: &mut Net,
        links: &[Link],
        in_flight: usize,
        time: Duration,
    ) -> Result<(), Failure> {
        self.is_stopping = false;
        for link in links {
            self.send(net, *link, in_flight)?;
        }
        let end = Instant::now() + time;
        while self.outstanding > 0 {
            net.turn(self)?;
            self.is_stopping = Instant::now() >= end;
        }
        Ok(())
    }

    fn send(&mut self, net: &mut Net, link: Link, count: usize) -> Result<(), Failure> {
        let Some(client) = self.clients.get_mut(link) else {
            return Ok(());
        };
        self.outstanding += count;
        client.outstanding += count;
        let now = Instant::now();
        client.sent.extend(std::iter::repeat_n(now, count));
        let end = self.request_bytes * count;
        net.send(link, self.requests.get(..end).unwrap_or_default())?;
        Ok(())
    }
}

impl Play for Echo {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let mut taken = 0;
        let mut answered = 0;
        while let Some((frame, length)) = wire::read_frame(bytes.get(taken..).unwrap_or_default()) {
            taken += length;
            let Some(client) = self.clients.get_mut(link) else {
                break;
            };
            let awaited = self.answer.get_mut(client.parts);
            let is_awaited = awaited.is_some_and(|(opcode, payload)| {
                client.outstanding > 0
                    && *opcode == frame.opcode
                    && deflate::is_expected(frame, payload)
            });
            if !is_awaited {
                keep_house(net, link, frame)?;
                continue;
            }
            client.parts += 1;
            if client.parts == self.answer.len() {
                client.parts = 0;
                client.outstanding -= 1;
                answered += 1;
            }
        }
        if answered == 0 {
            return Ok(taken);
        }
        self.units += answered as u64;
        self.outstanding -= answered;
        if let Some(client) = self.clients.get_mut(link) {
            let now = Instant::now();
            for sent in client.sent.drain(..answered) {
                self.latencies.note(now - sent);
            }
        }
        if !self.is_stopping {
            self.send(net, link, answered)?;
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;

    #[test]
    fn an_attachment_is_two_frames_each_way() {
        let target = Target {
            address: ([127, 0, 0, 1], 0).into(),
            process: Process(0),
            dialect: Dialect::Socket,
            auth: String::new(),
            tls: None,
            deflate: None,
            proxy: None,
        };
        let exchange = Exchange::new(&target, Content::Binary, 128);
        let kinds: Vec<u8> = exchange.answer.iter().map(|(opcode, _)| *opcode).collect();
        assert_eq!(kinds, [opcode::TEXT, opcode::BINARY]);
        let event = r#"451-["message",{"_placeholder":true,"num":0}]"#;
        let masked_headers = 6 + 8;
        assert_eq!(exchange.request.len(), masked_headers + event.len() + 128);
    }
}
