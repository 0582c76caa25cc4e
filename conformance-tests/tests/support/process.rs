//! A server in a process of its own, which ends with the value.
#![allow(clippy::panic, reason = "a helper of tests")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A process that has said where it listens.
pub(crate) struct Listening {
    pub(crate) process: Child,
    /// What it said behind `listening on `.
    pub(crate) address: String,
}

impl Listening {
    /// Starts the program and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::try_start(command)
            .unwrap_or_else(|status| panic!("{command:?} ended before it listened: {status}"))
    }

    /// Starts the program and waits for its first line.
    ///
    /// # Errors
    ///
    /// How the program ended, if it did so without a line; what was wrong it has said on standard error.
    pub(crate) fn try_start(command: &mut Command) -> Result<Self, ExitStatus> {
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program is there");
        let stdout = process.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the program says something");
        if line.is_empty() {
            // Whoever closed its standard output and lives on would be waited for.
            let _ = process.kill();
            return Err(process.wait().expect("the process is ours"));
        }
        let address = line.trim().strip_prefix("listening on ");
        Ok(Self {
            address: address
                .expect("the program says where it listens")
                .to_owned(),
            process,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may be gone already, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
