//! Whether the server still serves, and whether it gave back what the run made it take.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::client::Target;
use crate::context::Context;
use crate::failure::{Failure, Verdict};
use crate::trace::Trace;

/// How long a fresh client waits for its session.
const PROBE_LIMIT: Duration = Duration::from_secs(4);

/// Descriptors that may be open beyond those before the run.
const SPARE_DESCRIPTORS: usize = 8;

/// Resident memory that may remain beyond that before the run: allocators keep pages they have once used.
const SPARE_MEMORY_BYTES: u64 = 64 << 20;

/// A fresh client gets a session, on polling or, where that is off, on WebSocket.
pub(crate) async fn serves(target: &Target) -> Verdict {
    let context = Context::new(target.clone(), Trace::new()).patient(PROBE_LIMIT);
    let probe = async {
        match context.polling().await {
            Ok(_) => Ok(()),
            Err(polling) => match context.ws().await {
                Ok(_) => Ok(()),
                Err(_) => Err(polling),
            },
        }
    };
    match timeout(PROBE_LIMIT * 2, probe).await {
        Ok(verdict) => verdict,
        Err(_) => Err(Failure::silent(
            format_args!("a session at {target}"),
            format_args!("{PROBE_LIMIT:?}"),
        )),
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pid: u32,
    descriptors: usize,
    memory_bytes: u64,
}

impl Usage {
    /// Reads it from `/proc`.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let at = |name: &str| format!("/proc/{pid}/{name}");
        let descriptors = fs::read_dir(at("fd"))
            .map_err(|error| format!("{}: {error}", at("fd")))?
            .count();
        let status = fs::read_to_string(at("status"))
            .map_err(|error| format!("{}: {error}", at("status")))?;
        let kibibytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
            .ok_or_else(|| format!("{}: no VmRSS", at("status")))?;
        Ok(Self {
            pid,
            descriptors,
            memory_bytes: kibibytes * 1024,
        })
    }

    /// Waits until the process holds what it held before, within a margin, at most for the limit.
    pub(crate) async fn is_back(self, limit: Duration) -> Result<(), String> {
        let ends_at = Instant::now() + limit;
        loop {
            let now = Self::of(self.pid)?;
            if now.descriptors <= self.descriptors + SPARE_DESCRIPTORS
                && now.memory_bytes <= self.memory_bytes + SPARE_MEMORY_BYTES
            {
                return Ok(());
            }
            if Instant::now() >= ends_at {
                return Err(format!(
                    "{limit:?} after the run the server holds {} descriptors and {} KiB; before it held {} and {}",
                    now.descriptors,
                    now.memory_bytes / 1024,
                    self.descriptors,
                    self.memory_bytes / 1024
                ));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}
