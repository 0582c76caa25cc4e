//! A program that says `listening on` when clients may come, and is ended with its value.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::process::Process;
use crate::sys;

/// A server that listens; ends when dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Kept, so that a server that says more than one line does not fail.
    _stdout: BufReader<ChildStdout>,
}

impl Listening {
    /// Starts it, on the core that this process is on.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no output to read")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        match line
            .trim()
            .strip_prefix("listening on ")
            .map(str::parse::<SocketAddr>)
        {
            Some(Ok(address)) => Ok(Self {
                address,
                child,
                _stdout: stdout,
            }),
            _ => {
                child.kill()?;
                child.wait()?;
                Err(format!("it says {line:?}").into())
            }
        }
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it; what it said on standard error, where that is kept.
    pub(crate) fn end(mut self) -> io::Result<String> {
        sys::terminate(self.child.id())?;
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        Ok(said)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = sys::terminate(self.child.id());
        let _ = self.child.wait();
    }
}
