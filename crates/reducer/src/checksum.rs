//! The checksum of a state in Rust: the same number as `src/checksum.js` gives in browsers and models.
//!
//! `tests/checksums.json` holds states with their sums, which the tests of both read. Not here: why and when
//! states are compared (`stream/batch.rs`, docs/PROTOCOL.md).

use serde_json::Value;

const MODULUS: u64 = 1 << 52;

const NULL: u32 = 1;
const FALSE: u32 = 2;
const TRUE: u32 = 3;
const WHOLE: u32 = 4;
const NUMBER: u32 = 5;
const TEXT: u32 = 6;
const FIELD: u32 = 7;
const ITEM: u32 = 8;
const OBJECT: u64 = 0x5_bd1e_9957_f4a7;
const LIST: u64 = 0x1_b873_5939_e377;

/// The checksum of a state. The order of keys says nothing, and −0 is 0.
#[must_use]
pub fn checksum(state: &Value) -> u64 {
    match state {
        Value::Null => Mix::new(NULL).end(),
        Value::Bool(false) => Mix::new(FALSE).end(),
        Value::Bool(true) => Mix::new(TRUE).end(),
        Value::Number(number) => number_sum(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Mix::new(TEXT).text(text).end(),
        Value::Array(items) => {
            let parts = items.iter().enumerate().map(|(i, item)| {
                // JavaScript knows no longer lists.
                let place = u32::try_from(i).unwrap_or(u32::MAX);
                Mix::new(ITEM).word(place).sum(checksum(item)).end()
            });
            total(LIST, parts)
        }
        Value::Object(fields) => {
            let part = |(key, value): (&String, &Value)| {
                Mix::new(FIELD).text(key).sum(checksum(value)).end()
            };
            total(OBJECT, fields.iter().map(part))
        }
    }
}

fn total(empty: u64, parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(empty, |sum, part| (sum + part) % MODULUS)
}

fn number_sum(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it came from")]
    let whole = number as i32;
    #[expect(clippy::float_cmp, reason = "the very same, and −0 is 0")]
    let is_whole = f64::from(whole) == number;
    if is_whole {
        return Mix::new(WHOLE).word(whole.cast_unsigned()).end();
    }
    Mix::new(NUMBER).pair(number.to_bits()).end()
}

/// Two words into which others are mixed.
struct Mix(u32, u32);

impl Mix {
    fn new(kind: u32) -> Self {
        Self(kind, !kind)
    }

    fn word(self, word: u32) -> Self {
        let a = (self.0 ^ word).wrapping_mul(FIRST);
        let b = (self.1 ^ word).wrapping_mul(SECOND);
        // JavaScript's `>>>`: no sign.
        Self(a ^ (a >> 15), b ^ (b >> 13))
    }

    /// The higher word first.
    #[expect(clippy::cast_possible_truncation, reason = "half of it each")]
    fn pair(self, words: u64) -> Self {
        self.word((words >> 32) as u32).word(words as u32)
    }

    /// The lower word first.
    #[expect(clippy::cast_possible_truncation, reason = "half of it each")]
    fn sum(self, sum: u64) -> Self {
        self.word(sum as u32).word((sum >> 32) as u32)
    }

    /// In the units that JavaScript counts.
    fn text(self, text: &str) -> Self {
        let length = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
        text.encode_utf16().fold(self.word(length), |mix, unit| mix.word(u32::from(unit)))
    }

    /// The two as one number below the modulus.
    fn end(self) -> u64 {
        let Self(mut a, mut b) = self;
        for _ in 0..2 {
            a = (a ^ (b >> 16) ^ (b << 11)).wrapping_mul(FIRST);
            b = (b ^ (a >> 14) ^ (a << 9)).wrapping_mul(SECOND);
        }
        b ^= b >> 15;
        (u64::from(b & 0xf_ffff) << 32) | u64::from(a)
    }
}

const FIRST: u32 = 0x2c1b_3c6d;
const SECOND: u32 = 0x297a_2d39;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// One row of `tests/checksums.json`.
    #[derive(Deserialize)]
    struct Row {
        state: String,
        sum: u64,
    }

    #[test]
    fn the_same_as_in_javascript() {
        let rows: Vec<Row> =
            serde_json::from_str(include_str!("../../../tests/checksums.json")).unwrap();
        assert!(rows.len() > 20);
        for Row { state, sum } in rows {
            let value: Value = serde_json::from_str(&state).unwrap();
            assert_eq!(checksum(&value), sum, "{state}");
        }
    }
}
