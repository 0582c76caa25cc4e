//! Which attachments the placeholders of a packet name.

use super::scan::{Observer, Scanner, UNLIMITED};

/// Finds the placeholders of a packet while it is scanned.
///
/// An object is a placeholder when its last `_placeholder` member is exactly `true`; its last `num` member must then
/// be the plain decimal number of an attachment (SIO5-BIN-03).
#[derive(Debug)]
pub(super) struct Placeholders {
    references: References,
    /// The innermost that is open.
    level: Level,
    /// Those around it.
    outer: Vec<Level>,
    depth: usize,
}

/// The attachments that have been announced, with how often each is named.
#[derive(Debug)]
pub(super) struct References {
    attachment_count: usize,
    /// Placeholders that named one attachment after the other, from the first on.
    in_order_count: usize,
    /// How often each is named, once one was named out of order or in an unusual way.
    counts: Vec<usize>,
    has_stray: bool,
}

/// What is known of an array or object that is still open.
#[derive(Debug, Default)]
struct Level {
    member: Member,
    member_count: usize,
    /// Not a flag and a number in this order, as senders write them.
    is_unusual: bool,
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

/// Where the placeholders of a text are, and which attachments they name.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The offset of each object with its number, in order.
    found: Vec<(usize, usize)>,
    open: Vec<(usize, Level)>,
}

impl Places {
    pub(super) fn find(text: &str) -> Self {
        let mut places = Self::default();
        let scanned = Scanner::new(text).value(&UNLIMITED, &mut places);
        debug_assert!(scanned.is_ok(), "it was scanned before");
        places.found.sort_unstable();
        places
    }

    /// The attachment that the object at this offset names, if it is a placeholder.
    pub(super) fn num(&self, start: usize) -> Option<usize> {
        let at = self.found.binary_search_by_key(&start, |(start, _)| *start);
        self.found.get(at.ok()?).map(|(_, num)| *num)
    }

    fn level(&mut self) -> Option<&mut Level> {
        self.open.last_mut().map(|(_, level)| level)
    }
}

impl Observer for Places {
    fn open(&mut self, start: usize) {
        self.scalar("");
        self.open.push((start, Level::default()));
    }

    fn close(&mut self) {
        if let Some((start, level)) = self.open.pop()
            && let Some(num) = level.num.filter(|_| level.is_placeholder)
        {
            self.found.push((start, num));
        }
    }

    fn key(&mut self, raw: &str) {
        if let Some(level) = self.level() {
            level.member = Member::named(raw);
        }
    }

    fn scalar(&mut self, raw: &str) {
        if let Some(level) = self.level() {
            level.take(raw);
        }
    }
}

impl Placeholders {
    pub(super) fn new(attachment_count: usize) -> Self {
        Self {
            references: References {
                attachment_count,
                in_order_count: 0,
                counts: Vec::new(),
                has_stray: false,
            },
            level: Level::default(),
            outer: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn into_references(self) -> References {
        self.references
    }
}

impl References {
    /// One attachment, which is named once.
    pub(super) fn of_one() -> Self {
        Self {
            attachment_count: 1,
            in_order_count: 1,
            counts: Vec::new(),
            has_stray: false,
        }
    }

    pub(super) fn attachment_count(&self) -> usize {
        self.attachment_count
    }

    /// How often an attachment is named.
    pub(super) fn count(&self, index: usize) -> usize {
        match self.counts.get(index) {
            Some(count) => *count,
            None => usize::from(index < self.in_order_count),
        }
    }

    /// True when the placeholders name every attachment once and in order, written as senders write them.
    pub(super) fn is_in_order(&self) -> bool {
        self.counts.is_empty() && self.in_order_count == self.attachment_count && !self.has_stray
    }

    /// Takes what a placeholder says.
    fn name(&mut self, num: Option<usize>, is_unusual: bool) {
        match num.filter(|num| *num < self.attachment_count) {
            Some(num) => self.note(num, is_unusual),
            None => self.has_stray = true,
        }
    }

    fn note(&mut self, num: usize, is_unusual: bool) {
        if self.counts.is_empty() {
            if num == self.in_order_count && !is_unusual {
                self.in_order_count = self.in_order_count.saturating_add(1);
                return;
            }
            let named = (0..self.attachment_count).map(|index| self.count(index));
            self.counts = named.collect();
        }
        if let Some(count) = self.counts.get_mut(num) {
            *count = count.saturating_add(1);
        }
    }

    /// True when a placeholder names no attachment.
    pub(super) fn has_stray(&self) -> bool {
        self.has_stray
    }
}

impl Observer for Placeholders {
    fn open(&mut self, _start: usize) {
        // The array or object is a member's value, which makes it neither `true` nor a number.
        self.scalar("");
        let level = std::mem::take(&mut self.level);
        if self.depth > 0 {
            self.outer.push(level);
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self) {
        let around = self.outer.pop().unwrap_or_default();
        let level = std::mem::replace(&mut self.level, around);
        // The array of the arguments was open before the scan began.
        self.depth = self.depth.saturating_sub(1);
        if level.is_placeholder {
            self.references.name(level.num, level.is_unusual);
        }
    }

    fn key(&mut self, raw: &str) {
        self.level.member = Member::named(raw);
        let expected = match self.level.member_count {
            0 => Member::Placeholder,
            1 => Member::Num,
            _ => Member::Other,
        };
        self.level.member_count = self.level.member_count.saturating_add(1);
        self.level.is_unusual |= self.level.member != expected || expected == Member::Other;
    }

    fn scalar(&mut self, raw: &str) {
        self.level.take(raw);
    }

    #[inline]
    fn placeholder<'t>(&mut self, behind: &'t [u8]) -> Option<&'t [u8]> {
        let digits = behind.strip_prefix(br#""_placeholder":true,"num":"#)?;
        let (num, after) = take_number(digits)?;
        let after = after.strip_prefix(b"}")?;
        self.scalar("");
        self.references.name(Some(num), false);
        Some(after)
    }
}

/// The decimal number at the front of some JSON, one too large being as large as can be. `None` where it is not plain.
fn take_number(text: &[u8]) -> Option<(usize, &[u8])> {
    let (mut number, mut rest) = (0_usize, text);
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        number = number
            .saturating_mul(10)
            .saturating_add(usize::from(digit.saturating_sub(b'0')));
        rest = after;
    }
    let len = text.len().saturating_sub(rest.len());
    // The grammar of JSON has no leading zeros.
    let is_plain = len == 1 || (len > 1 && !text.starts_with(b"0"));
    is_plain.then_some((number, rest))
}

impl Level {
    /// Takes the value of the member whose name came before.
    fn take(&mut self, raw: &str) {
        match self.member {
            Member::Placeholder => self.is_placeholder = raw == "true",
            // The grammar of JSON has excluded a plus sign and leading zeros.
            Member::Num => self.num = raw.parse().ok(),
            Member::Other => {}
        }
    }
}

impl Member {
    fn named(raw: &str) -> Self {
        match raw {
            "_placeholder" => Self::Placeholder,
            "num" => Self::Num,
            escaped if escaped.contains('\\') => Self::of_escaped(escaped),
            _ => Self::Other,
        }
    }

    fn of_escaped(raw: &str) -> Self {
        match serde_json::from_str::<String>(&format!("\"{raw}\"")).as_deref() {
            Ok("_placeholder") => Self::Placeholder,
            Ok("num") => Self::Num,
            _ => Self::Other,
        }
    }
}
