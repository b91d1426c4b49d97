//! A gateway's connections: what is known of each, and who listens to which stream.
//!
//! What is known is a text of the caller's own. A connection's item names its streams, so that all
//! of it goes when it closes; what is left behind all the same ends with the table's TTL, or when a
//! push finds nobody.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use twinstore_protocol::StreamId;
use twinstore_server::random;

use crate::DynamoLog;
use crate::calls::{CallError, Expression, Query};
use crate::item::{Item, item, malformed, number, text, text_of};
use crate::store::{Store, key};

/// A gateway closes a connection after two hours.
const LIVES: Duration = Duration::from_secs(2 * 3_600 + 900);

/// What there is of a connection beside its listening.
const SELF: &str = "self";

/// The table of connections.
#[derive(Clone, Debug)]
pub struct Connections {
    store: Arc<Store>,
}

/// A connection that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What is known of it.
    pub about: String,
    /// The streams that it listens to, or did.
    pub streams: Vec<StreamId>,
}

/// One that listens to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its connection.
    pub connection: String,
    /// What is known of its listening.
    pub about: String,
}

impl DynamoLog {
    /// The connections beside this log.
    #[must_use]
    pub fn connections(&self) -> Connections {
        Connections { store: Arc::clone(&self.store) }
    }
}

impl Connections {
    /// Keeps a new connection.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn open(&self, connection: &str, about: &str) -> Result<(), CallError> {
        let mut item = key(&named(connection), SELF);
        item.extend(lasting(about));
        self.store.put(&self.table(), item, Expression::default()).await.map(drop)
    }

    /// What is known of a connection; none: it is closed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, connection: &str) -> Result<Option<Connection>, CallError> {
        let found = self.store.get(&self.table(), key(&named(connection), SELF)).await?;
        found.as_ref().map(read).transpose()
    }

    /// Changes what is known of a connection that is open.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn renew(&self, connection: &str, about: &str) -> Result<(), CallError> {
        let change = Expression::update("SET #about = :about")
            .and_when("attribute_exists(#about)")
            .with("about", text(about));
        let key = key(&named(connection), SELF);
        if_there(self.store.update(&self.table(), key, change).await)
    }

    /// From here on it listens. A connection that is closed does not.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listen(
        &self,
        stream: &StreamId,
        connection: &str,
        about: &str,
    ) -> Result<(), CallError> {
        let change = Expression::update("ADD #streams :streams")
            .and_when("attribute_exists(#about)")
            .with("streams", AttributeValue::Ss(vec![stream.as_str().to_owned()]));
        let known = key(&named(connection), SELF);
        match self.store.update(&self.table(), known, change).await {
            Err(CallError::Condition { .. }) => return Ok(()),
            added => added?,
        }
        let mut item = key(&listening(stream.as_str()), connection);
        item.extend(lasting(about));
        self.store.put(&self.table(), item, Expression::default()).await.map(drop)
    }

    /// What is known of its listening; none: it does not listen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listener(
        &self,
        stream: &StreamId,
        connection: &str,
    ) -> Result<Option<String>, CallError> {
        let key = key(&listening(stream.as_str()), connection);
        let found = self.store.get(&self.table(), key).await?;
        found.as_ref().map(|item| text_of(item, "about").map(str::to_owned)).transpose()
    }

    /// All that listen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn listeners(&self, stream: &StreamId) -> Result<Vec<Listener>, CallError> {
        let table = self.table();
        let keys = Expression::when("#stream = :stream");
        let keys = keys.with("stream", text(listening(stream.as_str())));
        let listener = |item: &Item| {
            let connection = text_of(item, "key")?.to_owned();
            Ok(Listener { connection, about: text_of(item, "about")?.to_owned() })
        };
        self.store.query_all(Query::new(&table, keys)).await?.iter().map(listener).collect()
    }

    /// From here on it does not listen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn leave(&self, stream: &StreamId, connection: &str) -> Result<(), CallError> {
        self.store.delete(&self.table(), key(&listening(stream.as_str()), connection)).await
    }

    /// It is closed: nothing is known of it any more.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn close(&self, connection: &str) -> Result<(), CallError> {
        let Some(open) = self.get(connection).await? else { return Ok(()) };
        for stream in &open.streams {
            self.leave(stream, connection).await?;
        }
        self.store.delete(&self.table(), key(&named(connection), SELF)).await
    }

    fn table(&self) -> String {
        self.store.connections_table()
    }
}

fn read(item: &Item) -> Result<Connection, CallError> {
    let none = Vec::new();
    let streams = match item.get("streams") {
        Some(streams) => streams.as_ss().map_err(|_| malformed("streams"))?,
        None => &none,
    };
    let stream = |name: &String| StreamId::parse(name).map_err(|_| malformed("streams"));
    let streams = streams.iter().map(stream).collect::<Result<_, _>>()?;
    Ok(Connection { about: text_of(item, "about")?.to_owned(), streams })
}

fn named(connection: &str) -> String {
    format!("connection/{connection}")
}

fn listening(stream: &str) -> String {
    format!("stream/{stream}")
}

fn lasting(about: &str) -> Item {
    let expires = random::now() / 1_000 + LIVES.as_secs();
    item([("about", text(about)), ("expires", number(expires))])
}

/// Nothing was written where it is closed.
fn if_there(written: Result<(), CallError>) -> Result<(), CallError> {
    match written {
        Err(CallError::Condition { .. }) => Ok(()),
        written => written,
    }
}
