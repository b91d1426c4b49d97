//! Tables' streams as Lambda would bring them, so that a test can bring them otherwise.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType};
use aws_sdk_dynamodbstreams::{Client, config};
use aws_smithy_types::base64;
use serde_json::{Value, json};

use super::dynamodb;

/// The streams of two tables, each read so far.
#[derive(Debug)]
pub(crate) struct Streams {
    client: Client,
    prefix: String,
    iterators: HashMap<String, Option<String>>,
}

impl Streams {
    pub(crate) fn new(prefix: &str) -> Self {
        let keys = config::Credentials::new("local", "local", None, None, "local");
        let config = aws_sdk_dynamodbstreams::Config::builder()
            .behavior_version(config::BehaviorVersion::latest())
            .region(config::Region::new("us-east-1"))
            .credentials_provider(keys)
            .endpoint_url(dynamodb::endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let client = Client::from_conf(config);
        Self { client, prefix: prefix.to_owned(), iterators: HashMap::new() }
    }

    /// What came since it was read last.
    pub(crate) async fn next(&mut self, table: &str) -> Vec<Value> {
        let table = format!("{}{table}", self.prefix);
        let mut iterator = match self.iterators.get(&table) {
            Some(iterator) => iterator.clone(),
            // A table is made when it is needed.
            None => match self.begin(&table).await {
                None => return Vec::new(),
                begun => begun,
            },
        };
        let mut changes = Vec::new();
        while let Some(at) = iterator.clone() {
            let page = self.client.get_records().shard_iterator(at).send().await.unwrap();
            iterator = page.next_shard_iterator;
            let records = page.records.unwrap_or_default();
            if records.is_empty() {
                break;
            }
            changes.extend(records.iter().map(change));
        }
        self.iterators.insert(table, iterator);
        changes
    }

    /// The same, as far as the filters of deploy/aws/pipeline.yaml let it through.
    pub(crate) async fn filtered(&mut self, table: &str) -> Vec<Value> {
        let mut changes = self.next(table).await;
        changes.retain(|change| passes(table, change));
        changes
    }

    async fn begin(&self, table: &str) -> Option<String> {
        let streams = self.client.list_streams().table_name(table).send().await.unwrap();
        let arn = streams.streams().first()?.stream_arn()?.to_owned();
        let about = self.client.describe_stream().stream_arn(&arn).send().await.unwrap();
        let shard = about.stream_description()?.shards().first()?.shard_id()?.to_owned();
        let iterator = self.client.get_shard_iterator().stream_arn(arn).shard_id(shard);
        let begin = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send();
        begin.await.unwrap().shard_iterator
    }
}

fn passes(table: &str, change: &Value) -> bool {
    let key = |name: &str| change["dynamodb"]["Keys"][name]["S"].as_str().unwrap_or_default();
    match table.ends_with("_events") {
        true => change["eventName"] == "INSERT" && key("stream").starts_with("inbox/"),
        false => key("key") == "head" || key("key").starts_with("record/"),
    }
}

/// A change as a function is told it.
fn change(record: &Record) -> Value {
    let images = record.dynamodb().unwrap();
    json!({
        "eventID": record.event_id(),
        "eventName": record.event_name().unwrap().as_str(),
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "SequenceNumber": images.sequence_number(),
            "Keys": images.keys().map(image),
            "NewImage": images.new_image().map(image),
            "OldImage": images.old_image().map(image),
        },
    })
}

fn image(item: &HashMap<String, AttributeValue>) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::B(bytes) => json!({ "B": base64::encode(bytes) }),
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::M(map) => json!({ "M": image(map) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        other => panic!("the tables hold no {other:?}"),
    }
}
