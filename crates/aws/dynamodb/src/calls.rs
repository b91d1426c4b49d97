//! Calls to the service, each with its meter, and their errors in three kinds: no, no answer, and
//! an item that this program did not write.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, ReturnConsumedCapacity, ReturnValue,
    TransactWriteItem, WriteRequest,
};
use twinstore_server::log::{BackendError, HEAD_MOVED, NO_PLACE};

use crate::item::Item;
use crate::limits;
use crate::store::Store;

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such table.
    #[error("{operation}: there is no such table")]
    NoTable {
        /// What was asked.
        operation: &'static str,
    },
    /// A condition does not hold: nothing was written.
    #[error("{operation}: a condition does not hold")]
    Condition {
        /// What was asked.
        operation: &'static str,
    },
    /// The service said no: nothing was written.
    #[error("{operation}: {code}: {message}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The service's code.
        code: String,
        /// Its message.
        message: String,
    },
    /// There is no answer: what was to be written was, or was not.
    #[error("{operation} was not answered")]
    Unanswered {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        source: BackendError,
    },
    /// An item is not what this program writes.
    #[error("an item has no proper `{what}`")]
    Malformed {
        /// The attribute.
        what: &'static str,
    },
    /// It does not fit.
    #[error("{what} has {bytes} bytes, at most {most} can be stored")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// The head is another one by now.
    #[error("{}", HEAD_MOVED)]
    HeadMoved,
    /// There is no event there that could go.
    #[error("{}", NO_PLACE)]
    NoPlace,
}

impl CallError {
    pub(crate) fn of<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let message = error.message().unwrap_or_default().to_owned();
        match (&error, code.as_str()) {
            (_, "ResourceNotFoundException") => Self::NoTable { operation },
            (_, "ConditionalCheckFailedException") => Self::Condition { operation },
            // The service failed halfway, who knows where.
            (
                _,
                "InternalServerError" | "ServiceUnavailable" | "TransactionInProgressException",
            ) => Self::Unanswered { operation, source: Box::new(error) },
            (SdkError::ServiceError(_), _) => Self::Refused { operation, code, message },
            (SdkError::ConstructionFailure(_), _) => {
                let message = "the request cannot be made".to_owned();
                Self::Refused { operation, code, message }
            }
            _ => Self::Unanswered { operation, source: Box::new(error) },
        }
    }
}

/// A condition or an update, with the names and values that it speaks of: each name as `#name`,
/// each value as `:name`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expression {
    pub(crate) update: Option<&'static str>,
    pub(crate) condition: Option<&'static str>,
    values: Item,
}

impl Expression {
    pub(crate) fn when(condition: &'static str) -> Self {
        Self { condition: Some(condition), ..Self::default() }
    }

    pub(crate) fn update(update: &'static str) -> Self {
        Self { update: Some(update), ..Self::default() }
    }

    pub(crate) fn and_when(mut self, condition: &'static str) -> Self {
        self.condition = Some(condition);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    pub(crate) fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    /// Names are the service's reserved words now and then, so all are given beside.
    pub(crate) fn names(&self) -> Option<std::collections::HashMap<String, String>> {
        let texts = [self.update, self.condition].into_iter().flatten();
        let words = texts.flat_map(|text| {
            text.split(|c: char| !(c == '#' || c.is_ascii_alphanumeric() || c == '_'))
        });
        let names: std::collections::HashMap<_, _> = words
            .filter_map(|word| Some((word.to_owned(), word.strip_prefix('#')?.to_owned())))
            .collect();
        (!names.is_empty()).then_some(names)
    }
}

/// One page of a query, in the order of keys.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) table: &'a str,
    /// The condition on the keys.
    pub(crate) keys: Expression,
    pub(crate) limit: Option<usize>,
    pub(crate) backwards: bool,
    pub(crate) from: Option<Item>,
    /// The attributes that are wanted; none: all.
    pub(crate) only: Option<&'static str>,
}

impl<'a> Query<'a> {
    pub(crate) fn new(table: &'a str, keys: Expression) -> Self {
        Self { table, keys, limit: None, backwards: false, from: None, only: None }
    }
}

const TOTAL: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

impl Store {
    pub(crate) async fn get(&self, table: &str, key: Item) -> Result<Option<Item>, CallError> {
        let call = self.client().get_item().table_name(table).set_key(Some(key));
        let answer = call.consistent_read(true).return_consumed_capacity(TOTAL).send().await;
        let answer = match answer.map_err(|error| CallError::of("GetItem", error)) {
            // No table, no item.
            Err(CallError::NoTable { .. }) => return Ok(None),
            answer => answer?,
        };
        self.meter().read(answer.consumed_capacity.as_slice());
        Ok(answer.item)
    }

    /// A page, and where the next one begins.
    pub(crate) async fn query(
        &self,
        query: Query<'_>,
    ) -> Result<(Vec<Item>, Option<Item>), CallError> {
        let mut names = query.keys.names().unwrap_or_default();
        names.extend(query.only.into_iter().flat_map(named));
        let only = query.only.map(|only| only.replace(' ', ""));
        let answer = self
            .client()
            .query()
            .table_name(query.table)
            .set_key_condition_expression(query.keys.condition.map(str::to_owned))
            .set_expression_attribute_values(query.keys.values())
            .set_expression_attribute_names(Some(names))
            .set_projection_expression(only)
            .set_limit(query.limit.map(|limit| i32::try_from(limit.max(1)).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(query.from)
            .scan_index_forward(!query.backwards)
            .consistent_read(true)
            .return_consumed_capacity(TOTAL)
            .send()
            .await;
        let answer = match answer.map_err(|error| CallError::of("Query", error)) {
            Err(CallError::NoTable { .. }) => return Ok((Vec::new(), None)),
            answer => answer?,
        };
        self.meter().read(answer.consumed_capacity.as_slice());
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    /// All pages.
    pub(crate) async fn query_all(&self, mut query: Query<'_>) -> Result<Vec<Item>, CallError> {
        let mut all = Vec::new();
        loop {
            let (items, next) = self.query(query.clone()).await?;
            all.extend(items);
            if next.is_none() {
                return Ok(all);
            }
            query.from = next;
        }
    }

    /// Items by their keys, in no order; what is not there is left out.
    pub(crate) async fn get_all(
        &self,
        table: &str,
        keys: Vec<Item>,
    ) -> Result<Vec<Item>, CallError> {
        let mut found = Vec::new();
        for keys in keys.chunks(limits::BATCH_KEYS) {
            let mut keys = keys.to_vec();
            let mut tries = 0;
            while !keys.is_empty() {
                let asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
                let asked = asked.build().map_err(|_| crate::item::malformed("keys"))?;
                let call = self.client().batch_get_item().request_items(table, asked);
                let answer = call.return_consumed_capacity(TOTAL).send().await;
                let answer = match answer.map_err(|error| CallError::of("BatchGetItem", error)) {
                    Err(CallError::NoTable { .. }) => return Ok(found),
                    answer => answer?,
                };
                self.meter().read(answer.consumed_capacity());
                found.extend(
                    answer.responses.into_iter().flat_map(|mut r| r.remove(table)).flatten(),
                );
                keys = answer
                    .unprocessed_keys
                    .and_then(|mut left| left.remove(table))
                    .map(|left| left.keys)
                    .unwrap_or_default();
                if !keys.is_empty() {
                    pause("BatchGetItem", &mut tries).await?;
                }
            }
        }
        Ok(found)
    }

    /// Writes an item, and gives the one that was there.
    pub(crate) async fn put(
        &self,
        table: &str,
        item: Item,
        when: Expression,
    ) -> Result<Option<Item>, CallError> {
        let call = self
            .client()
            .put_item()
            .table_name(table)
            .set_item(Some(item))
            .set_condition_expression(when.condition.map(str::to_owned))
            .set_expression_attribute_values(when.values())
            .set_expression_attribute_names(when.names())
            .return_values(ReturnValue::AllOld)
            .return_consumed_capacity(TOTAL);
        let answer = call.send().await.map_err(|error| CallError::of("PutItem", error))?;
        self.meter().wrote(answer.consumed_capacity.as_slice());
        Ok(answer.attributes)
    }

    pub(crate) async fn update(
        &self,
        table: &str,
        key: Item,
        change: Expression,
    ) -> Result<(), CallError> {
        let call = self
            .client()
            .update_item()
            .table_name(table)
            .set_key(Some(key))
            .set_update_expression(change.update.map(str::to_owned))
            .set_condition_expression(change.condition.map(str::to_owned))
            .set_expression_attribute_values(change.values())
            .set_expression_attribute_names(change.names())
            .return_consumed_capacity(TOTAL);
        let answer = call.send().await.map_err(|error| CallError::of("UpdateItem", error))?;
        self.meter().wrote(answer.consumed_capacity.as_slice());
        Ok(())
    }

    pub(crate) async fn delete(&self, table: &str, key: Item) -> Result<(), CallError> {
        self.delete_if(table, key, Expression::default()).await
    }

    pub(crate) async fn delete_if(
        &self,
        table: &str,
        key: Item,
        when: Expression,
    ) -> Result<(), CallError> {
        let call = self
            .client()
            .delete_item()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(when.condition.map(str::to_owned))
            .set_expression_attribute_values(when.values())
            .set_expression_attribute_names(when.names());
        let answer = call.return_consumed_capacity(TOTAL).send().await;
        let answer = answer.map_err(|error| CallError::of("DeleteItem", error))?;
        self.meter().wrote(answer.consumed_capacity.as_slice());
        Ok(())
    }

    /// Deletes items by their keys, those that are there.
    pub(crate) async fn delete_all(&self, table: &str, keys: Vec<Item>) -> Result<(), CallError> {
        let delete = |key: &Item| {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
            let delete = delete.map_err(|_| crate::item::malformed("key"))?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        for keys in keys.chunks(limits::BATCH_WRITES) {
            let mut writes = keys.iter().map(delete).collect::<Result<Vec<_>, CallError>>()?;
            let mut tries = 0;
            while !writes.is_empty() {
                let call = self.client().batch_write_item().request_items(table, writes);
                let answer = call.return_consumed_capacity(TOTAL).send().await;
                let answer = answer.map_err(|error| CallError::of("BatchWriteItem", error))?;
                self.meter().wrote(answer.consumed_capacity());
                let left = answer.unprocessed_items.and_then(|mut left| left.remove(table));
                writes = left.unwrap_or_default();
                if !writes.is_empty() {
                    pause("BatchWriteItem", &mut tries).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes all of it or nothing. Others who were in the way are waited for, a few times; the
    /// token makes one write of all tries.
    pub(crate) async fn transact(
        &self,
        items: Vec<TransactWriteItem>,
        token: &str,
    ) -> Result<(), CallError> {
        const OPERATION: &str = "TransactWriteItems";
        let mut tries = 0;
        loop {
            let call = self.client().transact_write_items().client_request_token(token);
            let call = call.set_transact_items(Some(items.clone()));
            let error = match call.return_consumed_capacity(TOTAL).send().await {
                Ok(answer) => {
                    self.meter().wrote(answer.consumed_capacity());
                    return Ok(());
                }
                Err(error) => error,
            };
            match cancelled(&error) {
                Some(Cancelled::Condition) => {
                    return Err(CallError::Condition { operation: OPERATION });
                }
                Some(Cancelled::InTheWay) => pause(OPERATION, &mut tries).await?,
                Some(Cancelled::Other) | None => return Err(CallError::of(OPERATION, error)),
            }
        }
    }
}

/// Why a transaction was given up.
enum Cancelled {
    Condition,
    InTheWay,
    Other,
}

fn cancelled(error: &SdkError<TransactWriteItemsError>) -> Option<Cancelled> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) =
        error.as_service_error()?
    else {
        return None;
    };
    let codes = || cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    let any = |wanted: &[&str]| codes().any(|code| wanted.contains(&code));
    Some(if any(&["ConditionalCheckFailed"]) {
        Cancelled::Condition
    } else if any(&["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]) {
        Cancelled::InTheWay
    } else {
        Cancelled::Other
    })
}

/// Waits before another try, for a random time that grows; fails where there were enough.
async fn pause(operation: &'static str, tries: &mut u32) -> Result<(), CallError> {
    *tries += 1;
    if *tries >= limits::TRIES {
        let (code, message) = ("Busy".to_owned(), format!("given up after {tries} tries"));
        return Err(CallError::Refused { operation, code, message });
    }
    let most = limits::PAUSE.saturating_mul(1 << *tries).min(limits::PAUSE_MOST);
    let mut byte = [0; 1];
    // Without randomness all wait alike, which is slower and not wrong.
    let _ = getrandom::fill(&mut byte);
    tokio::time::sleep(most.mul_f64(f64::from(byte[0]) / 255.0).max(Duration::from_millis(1)))
        .await;
    Ok(())
}

/// The names of a projection: `#a, #b`.
fn named(only: &'static str) -> impl Iterator<Item = (String, String)> {
    only.split(", ").map(|name| (name.to_owned(), name.trim_start_matches('#').to_owned()))
}

/// A token of a transaction: 128 bits.
pub(crate) fn token() -> Result<String, CallError> {
    let mut bytes = [0; 16];
    let none = |error: getrandom::Error| CallError::Refused {
        operation: "a token",
        code: "NoRandomness".to_owned(),
        message: error.to_string(),
    };
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(twinstore_server::event::hex(&bytes))
}
