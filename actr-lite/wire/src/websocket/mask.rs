/// Masks or unmasks a whole payload in place; doing it twice restores it (RFC 6455 §5.3).
pub(super) fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u128::from_ne_bytes([a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
    // Sixteen bytes are a multiple of the key's four, so every block starts at the key's first byte.
    let (blocks, rest) = payload.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for (byte, key_byte) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key_byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_unmasked() {
        // RFC 6455 §5.7, "A single-frame masked text message".
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&payload, b"Hello");
    }

    #[test]
    fn every_length_and_alignment_agrees_with_the_definition() {
        let key = [0x01, 0x82, 0x43, 0xc4];
        for start in 0..17 {
            for end in start..150 {
                let original: Vec<u8> = (0..150u8).collect();
                let mut masked = original.clone();
                apply_mask(&mut masked[start..end], key);
                let expected: Vec<u8> = (0..150)
                    .map(|at| match (start..end).contains(&at) {
                        true => original[at] ^ key[(at - start) % 4],
                        false => original[at],
                    })
                    .collect();
                assert_eq!(masked, expected, "{start}..{end}");
            }
        }
    }
}
