//! Making tables that are not there, where that is allowed.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableStatus, TimeToLiveSpecification,
};
use tokio::time::{Duration, Instant, sleep};
use twinstore_protocol::StreamId;

use crate::calls::CallError;
use crate::item::malformed;
use crate::limits;
use crate::store::Store;

/// A table's sort key, beside `stream`.
struct SortKey {
    name: &'static str,
    kind: ScalarAttributeType,
}

const KEY: SortKey = SortKey { name: "key", kind: ScalarAttributeType::S };
const SEQ: SortKey = SortKey { name: "seq", kind: ScalarAttributeType::N };

/// The attribute whose time, in seconds since 1970, ends an item.
const EXPIRES: &str = "expires";

impl Store {
    pub(crate) async fn create_common_table(&self) -> Result<(), CallError> {
        self.create_table(&self.common_table(), KEY).await
    }

    pub(crate) async fn create_connections_table(&self) -> Result<(), CallError> {
        self.create_table(&self.connections_table(), KEY).await
    }

    pub(crate) async fn create_model_tables(&self, stream: &StreamId) -> Result<(), CallError> {
        self.create_table(&self.events_table(stream), SEQ).await?;
        self.create_table(&self.model_table(stream), KEY).await
    }

    async fn create_table(&self, table: &str, sort: SortKey) -> Result<(), CallError> {
        const OPERATION: &str = "CreateTable";
        if self.status(table).await?.is_some() {
            return self.wait_for(table).await;
        }
        let stream = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(StreamViewType::NewAndOldImages);
        let created = self
            .client()
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("stream", ScalarAttributeType::S)?)
            .attribute_definitions(attribute(sort.name, sort.kind)?)
            .key_schema(key("stream", KeyType::Hash)?)
            .key_schema(key(sort.name, KeyType::Range)?)
            .stream_specification(stream.build().map_err(|_| malformed(OPERATION))?)
            .send()
            .await;
        match created {
            Ok(_) => {}
            // Another process was quicker.
            Err(error) if error.code() == Some("ResourceInUseException") => {}
            Err(error) => return Err(CallError::of(OPERATION, error)),
        }
        self.wait_for(table).await?;
        self.let_items_end(table).await;
        Ok(())
    }

    async fn wait_for(&self, table: &str) -> Result<(), CallError> {
        let until = Instant::now() + limits::TABLE_TIME;
        loop {
            match self.status(table).await? {
                Some(TableStatus::Active) => return Ok(()),
                _ if Instant::now() > until => {
                    let operation = "DescribeTable";
                    let message = format!("{table} does not become active");
                    return Err(CallError::Refused {
                        operation,
                        code: "Waited".to_owned(),
                        message,
                    });
                }
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn status(&self, table: &str) -> Result<Option<TableStatus>, CallError> {
        let answer = self.client().describe_table().table_name(table).send().await;
        match answer.map_err(|error| CallError::of("DescribeTable", error)) {
            Err(CallError::NoTable { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(answer) => Ok(answer.table.and_then(|table| table.table_status)),
        }
    }

    /// Old marks of deleted records go by themselves; where that cannot be had, they stay.
    async fn let_items_end(&self, table: &str) {
        let ends = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
        let Ok(ends) = ends else { return };
        let call = self.client().update_time_to_live().table_name(table);
        if let Err(error) = call.time_to_live_specification(ends).send().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(table, error, "items of this table do not end by themselves");
        }
    }
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, CallError> {
    let built = AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
    built.map_err(|_| malformed("AttributeDefinition"))
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, CallError> {
    let built = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    built.map_err(|_| malformed("KeySchemaElement"))
}
