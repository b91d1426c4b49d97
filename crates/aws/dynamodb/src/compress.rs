//! Texts as they are stored: as they are where they are short, compressed where they are not.
//!
//! Units are counted by the kilobyte, and actions are much alike: a batch of them shrinks to a
//! seventh. It is zlib, which every language reads.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use crate::calls::CallError;
use crate::item::{Item, malformed, text};
use crate::limits;

/// Zlib's own choice between speed and size.
const LEVEL: u8 = 6;

/// A text to be stored.
pub(crate) fn compressed(whole: &str) -> AttributeValue {
    if whole.len() <= limits::PLAIN_BYTES {
        return text(whole);
    }
    AttributeValue::B(Blob::new(compress_to_vec_zlib(whole.as_bytes(), LEVEL)))
}

/// A text that was stored either way, and must be there.
pub(crate) fn whole_of(item: &Item, name: &'static str) -> Result<String, CallError> {
    let whole = match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text.clone()),
        Some(AttributeValue::B(bytes)) => decompressed(bytes.as_ref()),
        _ => None,
    };
    whole.ok_or_else(|| malformed(name))
}

/// A text that was compressed; none: it was not, or is more than an item may hold.
#[must_use]
pub fn decompressed(bytes: &[u8]) -> Option<String> {
    let bytes = decompress_to_vec_zlib_with_limit(bytes, limits::TEXT_BYTES).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::item;

    fn stored_and_read(whole: &str) -> (AttributeValue, Result<String, CallError>) {
        let stored = compressed(whole);
        let read = whole_of(&item([("text", stored.clone())]), "text");
        (stored, read)
    }

    #[test]
    fn what_is_short_stays_readable() {
        let (stored, read) = stored_and_read("short");
        assert_eq!(stored, text("short"));
        assert_eq!(read.unwrap(), "short");
    }

    #[test]
    fn what_is_long_and_alike_shrinks() {
        let whole = r#"{"type":"create","payload":{"id":"ä"}}"#.repeat(1_000);
        let (stored, read) = stored_and_read(&whole);
        assert!(stored.as_b().is_ok_and(|bytes| bytes.as_ref().len() < whole.len() / 5));
        assert_eq!(read.unwrap(), whole);
    }

    #[test]
    fn nothing_becomes_more_than_the_limit() {
        let bomb = compress_to_vec_zlib(&vec![b'x'; limits::TEXT_BYTES + 1], LEVEL);
        assert_eq!(decompressed(&bomb), None);
        assert_eq!(decompressed(b"no zlib"), None);
    }
}
