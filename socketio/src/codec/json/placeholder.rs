//! Which attachments the placeholders of a packet name.

use super::scan::Observer;

/// The attachments that have been announced, with how often each is named.
///
/// An object is a placeholder when its last `_placeholder` member is exactly `true`; its last `num` member must then
/// be the plain decimal number of an attachment (SIO5-BIN-03).
#[derive(Debug)]
pub(super) struct References {
    counts: Vec<usize>,
    has_stray: bool,
    levels: Vec<Level>,
}

/// What is known of an array or object that is still open.
#[derive(Debug, Default)]
struct Level {
    member: Member,
    is_placeholder: bool,
    num: Option<usize>,
}

/// The member whose value comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Placeholder,
    Num,
}

impl References {
    pub(super) fn new(attachment_count: usize) -> Self {
        Self {
            counts: vec![0; attachment_count],
            has_stray: false,
            levels: Vec::new(),
        }
    }

    pub(super) fn attachment_count(&self) -> usize {
        self.counts.len()
    }

    /// How often an attachment is named.
    pub(super) fn count(&self, index: usize) -> usize {
        self.counts.get(index).copied().unwrap_or(0)
    }

    /// True when a placeholder names no attachment.
    pub(super) fn has_stray(&self) -> bool {
        self.has_stray
    }
}

impl Observer for References {
    fn open(&mut self) {
        // The array or object is a member's value, which makes it neither `true` nor a number.
        self.scalar("");
        self.levels.push(Level::default());
    }

    fn close(&mut self) {
        // The array of the arguments was open before the scan began.
        let Some(level) = self.levels.pop() else {
            return;
        };
        if !level.is_placeholder {
            return;
        }
        match level.num.and_then(|num| self.counts.get_mut(num)) {
            Some(count) => *count = count.saturating_add(1),
            None => self.has_stray = true,
        }
    }

    fn key(&mut self, raw: &str) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        level.member = match raw {
            "_placeholder" => Member::Placeholder,
            "num" => Member::Num,
            escaped if escaped.contains('\\') => Member::of_escaped(escaped),
            _ => Member::Other,
        };
    }

    fn scalar(&mut self, raw: &str) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        match level.member {
            Member::Placeholder => level.is_placeholder = raw == "true",
            // The grammar of JSON has excluded a plus sign and leading zeros.
            Member::Num => level.num = raw.parse().ok(),
            Member::Other => {}
        }
    }
}

impl Member {
    fn of_escaped(raw: &str) -> Self {
        match serde_json::from_str::<String>(&format!("\"{raw}\"")).as_deref() {
            Ok("_placeholder") => Self::Placeholder,
            Ok("num") => Self::Num,
            _ => Self::Other,
        }
    }
}
