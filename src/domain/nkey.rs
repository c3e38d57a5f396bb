//! NATS nkeys: Ed25519 keys in base 32 with a kind and a checksum.

/// What a seed of a user begins with, and the public key of one.
const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;

/// The length of an Ed25519 seed and of a public key, in bytes.
const KEY_BYTES: usize = 32;

/// The characters of a seed: its kind in two bytes, the seed, a checksum of two bytes.
const SEED_CHARS: usize = 58;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Why a text is no seed of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NkeyError {
    /// It is of another length or has other characters.
    #[error("is not the seed of an nkey: that is one line of 58 characters that begins with SU")]
    Form,
    /// The checksum is wrong.
    #[error("has a seed with a wrong checksum: it was cut or changed")]
    Checksum,
    /// A seed of an account, an operator, a server.
    #[error("has a seed that is not a user's: a user's begins with SU")]
    Kind,
}

/// The Ed25519 seed in the text of a user's seed.
///
/// # Errors
/// If it is no seed of a user.
pub fn seed(text: &str) -> Result<[u8; KEY_BYTES], NkeyError> {
    let text = text.trim();
    if text.len() != SEED_CHARS {
        return Err(NkeyError::Form);
    }
    let bytes = decoded(text).ok_or(NkeyError::Form)?;
    let (body, sum) = bytes
        .split_at_checked(2 + KEY_BYTES)
        .ok_or(NkeyError::Form)?;
    if sum != checksum(body).to_le_bytes() {
        return Err(NkeyError::Checksum);
    }
    match body {
        [first, second, seed @ ..] if *first == SEED | USER >> 5 && *second == (USER & 31) << 3 => {
            seed.try_into().map_err(|_| NkeyError::Form)
        }
        _ => Err(NkeyError::Kind),
    }
}

/// The text of a user's seed.
pub fn seed_text(seed: &[u8; KEY_BYTES]) -> String {
    encoded(&[SEED | USER >> 5, (USER & 31) << 3], seed)
}

/// The text of a user's public key.
pub fn public_text(key: &[u8; KEY_BYTES]) -> String {
    encoded(&[USER], key)
}

fn encoded(kind: &[u8], key: &[u8]) -> String {
    let mut bytes = [kind, key].concat();
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    let mut text = String::with_capacity(SEED_CHARS);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(value: u32) -> char {
    let index = usize::try_from(value & 31).unwrap_or(0);
    char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        held = held << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// CRC-16/XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for byte in bytes {
        sum ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            sum = match sum & 0x8000 {
                0 => sum << 1,
                _ => sum << 1 ^ 0x1021,
            };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(checksum(b"123456789"), 0x31c3);
    }

    #[test]
    fn a_seed_is_read_as_it_was_written() {
        for seed_bytes in [[0; 32], [0xff; 32], *b"0123456789abcdef0123456789abcdef"] {
            let text = seed_text(&seed_bytes);
            assert!(text.len() == 58 && text.starts_with("SU"), "{text}");
            assert_eq!(seed(&format!(" {text}\n")), Ok(seed_bytes));
            let public = public_text(&seed_bytes);
            assert!(public.len() == 56 && public.starts_with('U'), "{public}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = seed_text(&[7; 32]);
        assert_eq!(seed(""), Err(NkeyError::Form));
        assert_eq!(seed(&good[1..]), Err(NkeyError::Form));
        assert_eq!(seed(&good.replace('A', "1")), Err(NkeyError::Form));
        let last = if good.ends_with('A') { "B" } else { "A" };
        // The last character holds bits of the checksum alone.
        let cut = format!("{}{last}A", &good[..56]);
        assert_eq!(seed(&cut), Err(NkeyError::Checksum));
        let account = encoded(&[SEED, 0], &[7; 32]);
        assert_eq!(seed(&account), Err(NkeyError::Kind));
    }
}
