//! Items and their attributes: written and read by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::calls::CallError;

/// An item, or a key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An item of these attributes.
pub(crate) fn item<const SIZE: usize>(attributes: [(&str, AttributeValue); SIZE]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An attribute that must be there.
pub(crate) fn text_of<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, CallError> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| malformed(name))
}

/// An attribute that must be there.
pub(crate) fn number_of(item: &Item, name: &'static str) -> Result<u64, CallError> {
    number_in(item, name)?.ok_or_else(|| malformed(name))
}

/// An attribute that need not be there.
pub(crate) fn number_in(item: &Item, name: &'static str) -> Result<Option<u64>, CallError> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let number = value.as_n().ok().and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| malformed(name))
}

pub(crate) fn malformed(what: &'static str) -> CallError {
    CallError::Malformed { what }
}
