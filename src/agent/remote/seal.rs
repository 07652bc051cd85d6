//! Bytes as text that only who has the key can read, or make: compressed, sealed (ChaCha20-Poly1305), base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use flate2::{
    Compression,
    read::{ZlibDecoder, ZlibEncoder},
};
use std::io::{self, Read};

/// Nothing is larger than this when it is unpacked: what is longer is damaged.
const LIMIT: u64 = 1 << 30;

const NONCE: usize = 12;

/// Seals `plain`. `about` says what it is for; it is not in the text, and opens only what was sealed for the same.
///
/// # Errors
/// When there is no randomness to be had, for one.
pub fn seal(plain: &[u8], about: &[u8], key: &[u8; 32]) -> io::Result<String> {
    let mut packed = Vec::new();
    ZlibEncoder::new(plain, Compression::default()).read_to_end(&mut packed)?;
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let packed = Payload { msg: &packed, aad: about };
    let sealed = ChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), packed).map_err(io::Error::other)?;
    Ok(BASE64_STANDARD.encode([&nonce[..], &sealed].concat()))
}

/// The reverse; `None` for what was sealed with another key or for something else, or is damaged.
pub fn open(text: &str, about: &[u8], key: &[u8; 32]) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
    let sealed = Payload { msg: sealed, aad: about };
    let packed = ChaCha20Poly1305::new(key.into()).decrypt(&(*nonce).into(), sealed).ok()?;
    let mut plain = Vec::new();
    ZlibDecoder::new(&packed[..]).take(LIMIT).read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_opened_by_its_key_and_for_its_purpose_alone(plain: Vec<u8>, about: Vec<u8>, key: [u8; 32]) {
            let text = seal(&plain, &about, &key).unwrap();
            prop_assert_eq!(open(&text, &about, &key), Some(plain));
            prop_assert_eq!(open(&text, &[&about[..], b"x"].concat(), &key), None);
            let mut other = key;
            other[0] ^= 1;
            prop_assert_eq!(open(&text, &about, &other), None);
        }
    }
}
