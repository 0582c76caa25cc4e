//! What the kernel knows of another process: the time it had on a core, and its resident memory.

use std::fs;
use std::io;

/// A running process, by its id.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// Nanoseconds that its threads have spent on a core, in user space and in the kernel.
    ///
    /// `schedstat` counts nanoseconds, where `utime` and `stime` count ticks of 10 ms. Threads that have ended
    /// are not in it, so the processes measured must not start and end threads under load.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub fn cpu_nanos(self) -> io::Result<u64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += first_number(&text)?;
        }
        Ok(nanos)
    }

    /// Resident bytes.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub fn resident_bytes(self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident bytes that there were so far.
    ///
    /// # Errors
    ///
    /// When the process is gone.
    pub fn peak_bytes(self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(first_number(line)? * 1024)
    }
}

fn first_number(text: &str) -> io::Result<u64> {
    text.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_run_and_has_memory() {
        let me = Process(std::process::id());
        assert!(me.cpu_nanos().unwrap() > 0);
        assert!(me.resident_bytes().unwrap() > 100_000);
        assert!(Process(u32::MAX).cpu_nanos().is_err());
    }
}
