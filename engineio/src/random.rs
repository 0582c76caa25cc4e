//! Where random numbers come from.

/// Fills `bytes` so that nobody can guess them.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    #[cfg(feature = "fuzzing")]
    if seeded::fill(bytes) {
        return Ok(());
    }
    getrandom::fill(bytes)
}

/// A number below `bound` that spreads things out; zero when the operating system gives no random bytes.
pub(crate) fn below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes)
        .ok()
        .and_then(|()| u64::from_le_bytes(bytes).checked_rem(bound))
        .unwrap_or(0)
}

/// Whether what is random on this thread is foreseen, so that nothing may be kept of what was not.
pub(crate) fn is_seeded() -> bool {
    #[cfg(feature = "fuzzing")]
    return seeded::is_seeded();
    #[cfg(not(feature = "fuzzing"))]
    false
}

/// Random numbers of a simulation, which must come again.
#[cfg(feature = "fuzzing")]
pub(crate) mod seeded {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub(crate) fn seed(seed: u64) {
        STATE.set(Some(seed));
    }

    pub(super) fn is_seeded() -> bool {
        STATE.get().is_some()
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(mut state) = STATE.get() else {
            return false;
        };
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            for (to, from) in chunk.iter_mut().zip((mixed ^ (mixed >> 31)).to_le_bytes()) {
                *to = from;
            }
        }
        STATE.set(Some(state));
        true
    }
}
