//! The tables: made where they are not there, and of which form they are.

use deadpool_postgres::Object;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::OpenError;
use crate::text::{events_table, records_table};

/// The form of the tables; a database with a later one is not opened.
pub(crate) const FORMAT: i64 = 1;

/// Makes the tables that all models share.
pub(crate) async fn make(client: &Object) -> Result<(), OpenError> {
    let database = |e: Error| OpenError::Database(e.into());
    client.batch_execute(&alone(TABLES)).await.map_err(database)?;
    check(client).await
}

/// Makes the tables of a model.
pub(crate) async fn make_for(client: &Object, model: &str) -> Result<(), Error> {
    client.batch_execute(&alone(&model_tables(model))).await
}

/// Whether this program knows the form of the tables.
pub(crate) async fn check(client: &Object) -> Result<(), OpenError> {
    let row = match client.query_one("SELECT max(form) FROM twin_form", &[]).await {
        Ok(row) => row,
        Err(error) if is_no_table(&error) => return Err(OpenError::Missing),
        Err(error) => return Err(OpenError::Database(error.into())),
    };
    match row.get::<_, Option<i64>>(0) {
        None => Err(OpenError::Missing),
        Some(found) if found > FORMAT => Err(OpenError::Newer { found }),
        Some(_) => Ok(()),
    }
}

/// A model that was never run here has no tables, and so no events.
pub(crate) fn is_no_table(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// Several processes may start at once, and `IF NOT EXISTS` does not wait for others. Statements
/// that are sent together are one transaction, at whose end the lock is let go.
fn alone(statements: &str) -> String {
    format!("SELECT pg_advisory_xact_lock({LOCK}); {statements}")
}

/// A number that nobody else uses, hopefully; if somebody does, one waits for the other.
const LOCK: i64 = 0x7477_696e_7374_6f72;

/// Names are compared byte by byte, as everywhere else.
const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS twin_form (form bigint PRIMARY KEY);
INSERT INTO twin_form SELECT 1 WHERE NOT EXISTS (SELECT FROM twin_form);
CREATE TABLE IF NOT EXISTS twin_streams (
  stream text COLLATE "C" PRIMARY KEY, log text NOT NULL, head bigint NOT NULL, chain text NOT NULL
);
CREATE TABLE IF NOT EXISTS twin_clients (
  stream text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, last bigint NOT NULL,
  PRIMARY KEY (stream, client)
);
CREATE TABLE IF NOT EXISTS twin_subjects (
  stream text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, subject text NOT NULL,
  PRIMARY KEY (stream, client)
);
CREATE TABLE IF NOT EXISTS twin_snapshots (
  stream text COLLATE "C" NOT NULL, seq bigint NOT NULL, model text NOT NULL, state text NOT NULL,
  PRIMARY KEY (stream, seq)
);
CREATE TABLE IF NOT EXISTS twin_models (
  hash text PRIMARY KEY, name text NOT NULL, schema bigint NOT NULL, source text NOT NULL
);
CREATE TABLE IF NOT EXISTS twin_bases (
  stream text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL, chain text NOT NULL
);
CREATE TABLE IF NOT EXISTS twin_rejections (
  stream text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, n bigint NOT NULL,
  from_n bigint, seq bigint NOT NULL, code text NOT NULL, reason text,
  PRIMARY KEY (stream, client, n)
);
CREATE TABLE IF NOT EXISTS twin_gone (
  stream text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (stream, client)
);
CREATE TABLE IF NOT EXISTS twin_forgotten (
  stream text COLLATE "C" PRIMARY KEY, clients_since bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS twin_probe (one int PRIMARY KEY, times bigint NOT NULL);
"#;

/// A stream's name is stored whole: names of models may be alike.
fn model_tables(model: &str) -> String {
    let (events, records) = (events_table(model), records_table(model));
    format!(
        "CREATE TABLE IF NOT EXISTS {events} (
          stream text COLLATE \"C\" NOT NULL, seq bigint NOT NULL, client text COLLATE \"C\" NOT NULL,
          n bigint NOT NULL, from_n bigint, at bigint NOT NULL, type text NOT NULL,
          model text NOT NULL, schema bigint NOT NULL, code text, reason text, body text NOT NULL,
          chain text NOT NULL, aside text,
          PRIMARY KEY (stream, seq), UNIQUE (stream, client, n)
        );
        CREATE TABLE IF NOT EXISTS {records} (
          stream text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL, key text NOT NULL,
          record text NOT NULL, seq bigint NOT NULL, PRIMARY KEY (stream, id)
        );"
    )
}
