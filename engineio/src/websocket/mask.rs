//! Masking (RFC 6455 §5.3), in place, eight bytes at a time.

#[inline]
pub(super) fn apply(payload: &mut [u8], key: [u8; 4]) {
    if key == [0; 4] {
        return;
    }
    let narrow = u32::from_ne_bytes(key);
    // Put together from numbers, for from bytes the compiler shifts each of them: 20 instructions more.
    let wide = u64::from(narrow) | u64::from(narrow) << u32::BITS;
    // Chunks are multiples of four long, so the key starts over behind each.
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    let (chunks, rest) = rest.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ narrow).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_every_length_equals_the_definition_and_undoes_itself() {
        let key = [0x12, 0x34, 0x56, 0x78];
        for length in 0..40_u8 {
            let plain: Vec<u8> = (0..length).collect();
            let expected: Vec<u8> = plain
                .iter()
                .zip(key.iter().cycle())
                .map(|(a, b)| a ^ b)
                .collect();
            let mut masked = plain.clone();
            apply(&mut masked, key);
            assert_eq!(masked, expected);
            apply(&mut masked, key);
            assert_eq!(masked, plain);
        }
    }
}
