//! Numbers that spread things out. Nothing secret is made of them.

/// A number below `bound`; zero when the operating system gives no random bytes.
pub(crate) fn below(bound: u64) -> u64 {
    getrandom::u64()
        .ok()
        .and_then(|number| number.checked_rem(bound))
        .unwrap_or(0)
}
