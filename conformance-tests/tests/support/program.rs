//! An example as a process of its own, which says on standard error where it listens.
#![allow(clippy::panic, reason = "a helper of tests")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A program that listens, and ends with the value.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) url: String,
}

impl Running {
    /// Starts it and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let spawned = command.stderr(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = process.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines();
        let url =
            lines.find_map(|line| line.ok()?.strip_prefix("listening on ").map(str::to_owned));
        // What it says later is nobody's, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        match url {
            Some(url) => Self { process, url },
            None => panic!("{command:?} did not listen: {:?}", process.wait()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which the script has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
