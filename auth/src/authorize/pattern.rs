use std::fmt;

/// A pattern of names made of segments with `:` between them, such as `room:42:*`.
///
/// `*` stands for any one segment, a final `**` for one or more. Everything else is meant literally; there is no
/// matching inside a segment.
///
/// ```
/// use socketio_auth::authorize::Pattern;
///
/// # fn main() -> Result<(), socketio_auth::authorize::PatternError> {
/// let pattern = Pattern::parse("room:42:*")?;
/// assert!(pattern.matches("room:42:chat"));
/// assert!(!pattern.matches("room:42"));
/// assert!(Pattern::parse("room:**")?.matches("room:42:chat"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<[Segment]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    One,
    Rest,
}

/// Why a text is not a [`Pattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// It has more than [`Pattern::MAX_BYTES`] bytes.
    TooLong,
    /// It has more than [`Pattern::MAX_SEGMENTS`] segments.
    TooManySegments,
    /// There is a `*` beside other characters of its segment, or a `**` that is not the last segment.
    MisplacedStar,
    /// There are more patterns than allowed in one place.
    TooManyPatterns,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the pattern is too long",
            Self::TooManySegments => "the pattern has too many segments",
            Self::MisplacedStar => "a star stands where it means nothing",
            Self::TooManyPatterns => "there are too many patterns",
        })
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// The longest pattern, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// The most segments.
    pub const MAX_SEGMENTS: usize = 16;

    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// A [`PatternError`] when it is larger than the bounds, or a star is misplaced.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > Self::MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        let segments: Vec<_> = text
            .split(':')
            .map(|segment| match segment {
                "*" => Ok(Segment::One),
                "**" => Ok(Segment::Rest),
                literal if literal.contains('*') => Err(PatternError::MisplacedStar),
                literal => Ok(Segment::Literal(literal.into())),
            })
            .collect::<Result<_, _>>()?;
        if segments.len() > Self::MAX_SEGMENTS {
            return Err(PatternError::TooManySegments);
        }
        match segments.split_last() {
            Some((_, before)) if before.contains(&Segment::Rest) => {
                Err(PatternError::MisplacedStar)
            }
            _ => Ok(Self(segments.into())),
        }
    }

    /// True when `name` fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut names = name.split(':');
        for segment in &self.0 {
            let fits = match (segment, names.next()) {
                (Segment::Rest, Some(_)) => return true,
                (Segment::Literal(literal), Some(name)) => **literal == *name,
                (Segment::One, Some(_)) => true,
                (_, None) => false,
            };
            if !fits {
                return false;
            }
        }
        names.next().is_none()
    }
}
