//! Clients that come and go over WebSocket.

use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::session::{Opener, keep_house};
use super::target::{Failure, Sample, Target};
use crate::wire::{self, opcode};

/// Clients at a time.
const CLIENTS: usize = 50;

struct Connect {
    opener: Opener,
    close: Vec<u8>,
    /// Clients that have not left.
    present: usize,
    is_stopping: bool,
    units: u64,
}

pub(super) fn play(target: &Target, time: Duration) -> Result<Sample, Failure> {
    let mut net = Net::new(target)?;
    let mut connect = Connect {
        opener: Opener::new(target),
        close: wire::frame(opcode::CLOSE, &1000_u16.to_be_bytes()),
        present: 0,
        is_stopping: false,
        units: 0,
    };
    connect.run(&mut net, time / 5)?;
    let warm_up_units = std::mem::take(&mut connect.units);
    let before = target.cpu_nanos()?;
    let started = Instant::now();
    connect.run(&mut net, time)?;
    Ok(Sample {
        units: connect.units,
        warm_up_units,
        wall: started.elapsed(),
        cpu_nanos: target.cpu_nanos()? - before,
        latencies: Latencies::default(),
        resident: None,
    })
}

impl Connect {
    fn run(&mut self, net: &mut Net, time: Duration) -> Result<(), Failure> {
        self.is_stopping = false;
        for _ in 0..CLIENTS {
            self.start(net)?;
        }
        let end = Instant::now() + time;
        while self.present > 0 {
            net.turn(self)?;
            self.is_stopping = Instant::now() >= end;
        }
        Ok(())
    }

    fn start(&mut self, net: &mut Net) -> Result<(), Failure> {
        self.opener.start(net)?;
        self.present += 1;
        Ok(())
    }
}

impl Play for Connect {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        if !self.opener.is_ready(link) {
            let taken = self.opener.hear(net, link, bytes)?;
            if self.opener.is_ready(link) {
                net.send(link, &self.close)?;
            }
            return Ok(taken);
        }
        let Some((frame, length)) = wire::read_frame(bytes) else {
            return Ok(0);
        };
        if frame.opcode != opcode::CLOSE {
            keep_house(net, link, frame)?;
        }
        Ok(length)
    }

    fn lost(&mut self, net: &mut Net, link: Link) -> Result<(), Failure> {
        if !self.opener.is_ready(link) {
            return Err(Failure::Wrong(
                "the server hung up on a newcomer".to_owned(),
            ));
        }
        self.present -= 1;
        self.units += 1;
        if self.is_stopping {
            return Ok(());
        }
        self.start(net)
    }
}
