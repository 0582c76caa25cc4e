//! What a case sent and what came, byte for byte, for the report of a failure.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes of one message that a trace shows; the rest is counted.
const SHOWN_BYTES: usize = 600;

/// Lines a trace keeps; a case that says more keeps its first ones and counts the rest.
const KEPT_LINES: usize = 400;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Sent,
    Came,
}

/// The record of one case's traffic; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    since: Instant,
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: Vec<String>,
    dropped_count: usize,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            lines: Arc::default(),
        }
    }

    /// Records bytes on a connection of the case, counted from 1.
    pub(crate) fn bytes(&self, connection: u32, way: Way, bytes: &[u8]) {
        let arrow = match way {
            Way::Sent => '>',
            Way::Came => '<',
        };
        self.push(&format!("[{connection}] {arrow} {}", shown(bytes)));
    }

    /// Records an event that is not bytes: a connection opened, closed, a silence waited for.
    pub(crate) fn note(&self, connection: u32, text: &str) {
        self.push(&format!("[{connection}] - {text}"));
    }

    fn push(&self, line: &str) {
        let at = self.since.elapsed();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.kept.len() < KEPT_LINES {
            lines.kept.push(format!("{:>7} {line}", millis(at)));
        } else {
            lines.dropped_count += 1;
        }
    }

    /// The lines so far, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = lines.kept.clone();
        if lines.dropped_count > 0 {
            shown.push(format!("        … {} more lines", lines.dropped_count));
        }
        shown
    }
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Bytes for a human: text as it is, the rest as `<xx>`.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    let mut text = match std::str::from_utf8(head) {
        Ok(text) => escaped(text),
        // The cut may have fallen inside a character.
        Err(error) if error.error_len().is_none() && head.len() < bytes.len() => escaped(
            &String::from_utf8_lossy(head.get(..error.valid_up_to()).unwrap_or_default()),
        ),
        Err(_) => mixed(head),
    };
    if head.len() < bytes.len() {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        match character {
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\u{1e}' => out.push_str("<1e>"),
            control if control.is_control() => {
                let _ = write!(out, "<{:02x}>", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out
}

/// Bytes that are no text, those that look like it as they are.
fn mixed(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        match byte {
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "<{byte:02x}>");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{KEPT_LINES, Trace, Way, shown};

    #[test]
    fn text_is_shown_as_text_and_the_rest_in_hexadecimal() {
        assert_eq!(shown("4a\u{1e}4€\r\n".as_bytes()), "4a<1e>4€\\r\\n");
        assert_eq!(shown(&[0x88, 0x02, 0x03, 0xef]), "<88><02><03><ef>");
    }

    #[test]
    fn long_bytes_are_cut_and_counted_even_inside_a_character() {
        let long = format!("a{}", "€".repeat(400));
        let text = shown(long.as_bytes());
        assert!(text.starts_with("a€"), "{text}");
        assert!(text.ends_with("… (1201 bytes)"), "{text}");
    }

    #[test]
    fn a_trace_keeps_its_first_lines_and_counts_the_others() {
        let trace = Trace::new();
        for _ in 0..KEPT_LINES + 2 {
            trace.bytes(1, Way::Sent, b"4x");
        }
        let lines = trace.lines();
        assert_eq!(lines.len(), KEPT_LINES + 1);
        assert!(lines.last().is_some_and(|line| line.contains("2 more")));
    }
}
