//! Hexadecimal digits.

/// The digits of bytes, in lower case.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Parses pairs of digits, in upper or lower case.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    if rest.is_empty() { pairs.iter().copied().map(byte).collect() } else { None }
}

/// Parses the digits of `N` bytes, without an allocation.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    let mut bytes = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (decoded, pair) in bytes.iter_mut().zip(pairs) {
        *decoded = byte(*pair)?;
    }
    Some(bytes)
}

fn byte(pair: [u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
    Some(high? << 4 | low?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_digits_are_decoded() {
        assert_eq!(decode("00fFA0"), Some(vec![0, 255, 160]));
        assert_eq!(encode(&[0, 255, 160]), "00ffa0");
        assert_eq!(decode(""), Some(Vec::new()));
        for wrong in ["0", "0g", "+1", "é", "000"] {
            assert_eq!(decode(wrong), None, "{wrong}");
            assert_eq!(decode_array::<1>(wrong), None, "{wrong}");
        }
        assert_eq!(decode_array("00fFA0"), Some([0, 255, 160]));
        assert_eq!(decode_array::<2>("00fFA0"), None, "another length");
    }
}
