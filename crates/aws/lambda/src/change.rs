//! Changes of tables, as their streams bring them: at least once, in batches, in order by item only.

use aws_smithy_types::base64;
use serde::Deserialize;
use serde_json::{Value, json};
use twinstore_dynamodb::decompressed;

/// A batch of a table's stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Changes {
    #[serde(rename = "Records")]
    pub(crate) records: Vec<Change>,
}

/// A change of one item.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) event_name: String,
    pub(crate) dynamodb: Images,
}

/// An item before and after.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Images {
    pub(crate) sequence_number: String,
    #[serde(default)]
    new_image: Option<Value>,
    #[serde(default)]
    old_image: Option<Value>,
}

impl Change {
    /// A text of the item as it is.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.dynamodb.new_image.as_ref()?.get(name)?.get("S")?.as_str()
    }

    /// The same where it may be compressed.
    pub(crate) fn whole(&self, name: &str) -> Option<String> {
        if let Some(text) = self.text(name) {
            return Some(text.to_owned());
        }
        let bytes = self.dynamodb.new_image.as_ref()?.get(name)?.get("B")?.as_str()?;
        decompressed(&base64::decode(bytes).ok()?)
    }

    /// A number of the item as it is.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        number(self.dynamodb.new_image.as_ref()?, name)
    }

    /// A number of the item as it was.
    pub(crate) fn old_number(&self, name: &str) -> Option<u64> {
        number(self.dynamodb.old_image.as_ref()?, name)
    }
}

fn number(image: &Value, name: &str) -> Option<u64> {
    image.get(name)?.get("N")?.as_str()?.parse().ok()
}

/// The answer to a batch of which this change, and those behind it, must come again; none: it is
/// done.
pub(crate) fn done_but(failed: Option<&str>) -> Value {
    let failures: Vec<_> =
        failed.iter().map(|number| json!({ "itemIdentifier": number })).collect();
    json!({ "batchItemFailures": failures })
}
