//! Numbers for tests that try everything in any order, the same in each run.

/// Draws by xorshift.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new() -> Self {
        Self(0x5eed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u16::try_from(self.0 % u64::from(bound)).unwrap()
    }
}
