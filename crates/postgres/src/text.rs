//! Text that PostgreSQL does not take as it is: NUL bytes, and keys that are too long for an index.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use twinstore_server::event::hex;

/// Stands before the digit of an escaped character. No text has it: it is no character.
const ESCAPE: char = '\u{10FFFF}';

/// Beyond so many bytes a record's key is known by its hash; an index takes 2,704 in all.
const KEY_BYTES: usize = 1_000;

/// Beyond so many bytes a model's name is shortened in its tables' names, which have 63 at most.
const NAME_BYTES: usize = 50;

/// The text as it is stored: PostgreSQL takes all but NUL.
pub(crate) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return text.into();
    }
    let escaped = text.chars().flat_map(|c| match c {
        '\0' => [Some(ESCAPE), Some('0')],
        ESCAPE => [Some(ESCAPE), Some('1')],
        other => [Some(other), None],
    });
    escaped.flatten().collect::<String>().into()
}

/// The text as it was.
pub(crate) fn read(stored: String) -> String {
    if !stored.contains(ESCAPE) {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut chars = stored.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            ESCAPE if chars.next() == Some('0') => '\0',
            other => other,
        });
    }
    text
}

/// What a record is found by.
pub(crate) fn record_id(key: &str) -> Cow<'_, str> {
    if key.len() <= KEY_BYTES {
        return stored(key);
    }
    // No key of such a length is stored under its own name.
    let head: String = stored(key).chars().take(KEY_BYTES).collect();
    format!("{head} {}", hash(key)).into()
}

/// The table of a model's events.
pub(crate) fn events_table(model: &str) -> String {
    format!("\"{}_events\"", short(model))
}

/// The table of a model's records. Names of models have no dots, so none meets another's tables.
pub(crate) fn records_table(model: &str) -> String {
    let name = short(model);
    match model.ends_with("_events") || model.starts_with("twin_") {
        true => format!("\"{name}.records\""),
        false => format!("\"{name}\""),
    }
}

fn short(model: &str) -> Cow<'_, str> {
    match model.len() > NAME_BYTES {
        true => format!("{}.{}", &model[..30], &hash(model)[..16]).into(),
        false => model.into(),
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_text_comes_back() {
        for text in ["", "ü", "a\0b", "\u{10FFFF}", "\0\u{10FFFF}0\0", "\u{10FFFF}1"] {
            assert!(!stored(text).contains('\0'));
            assert_eq!(read(stored(text).into_owned()), text);
        }
    }

    #[test]
    fn long_keys_are_told_apart() {
        let long = "x".repeat(70_000);
        assert_ne!(record_id(&long), record_id(&format!("{long}y")));
        assert!(record_id(&long).len() < 1_100);
        assert!(record_id(&"ü".repeat(600)).len() < 2_300);
        assert_eq!(record_id("order-1"), "order-1");
    }

    #[test]
    fn tables_do_not_meet() {
        assert_eq!(events_table("a"), "\"a_events\"");
        assert_eq!(records_table("a_events"), "\"a_events.records\"");
        assert_eq!(records_table("twin_streams"), "\"twin_streams.records\"");
        let (one, two) = ("m".repeat(63) + "1", "m".repeat(63) + "2");
        assert_ne!(events_table(&one), events_table(&two));
        assert!(records_table(&(one + "_events")).len() <= 63 + 2);
    }
}
