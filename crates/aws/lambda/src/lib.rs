//! Twinstore in functions: API Gateway's WebSocket calls them, DynamoDB keeps everything.
//!
//! The server's own sessions and workers run here, with another I/O around them: what a socket's
//! session must remember between two messages lies in the table of connections, and frames go out
//! by calls to the gateway.
//!
//! Not here: the log (`twinstore_dynamodb`), what frames mean (`twinstore_server::session`).
#![forbid(unsafe_code)]

mod about;
mod coupled;
mod desk;
mod gateway;
pub mod limits;
mod request;
mod settings;
mod turn;

pub use coupled::{Coupled, FunctionError};
pub use gateway::{Gateway, PostError};
pub use settings::{Settings, SettingsError};
