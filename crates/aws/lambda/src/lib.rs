//! Twinstore in functions: API Gateway's WebSocket calls them, DynamoDB keeps everything.
//!
//! The server's own sessions and workers run here, with another I/O around them: what a socket's
//! session must remember between two messages lies in the table of connections, and frames go out
//! by calls to the gateway. In one topology one function does all (`front.rs`); in the other three
//! do, joined by the streams of two tables (`front.rs`, `reduce.rs`, `push.rs`).
//!
//! Not here: the log (`twinstore_dynamodb`), what frames mean (`twinstore_server::session`).
#![forbid(unsafe_code)]

mod about;
mod change;
mod desk;
mod front;
mod function;
mod gateway;
pub mod limits;
mod parts;
mod push;
mod reduce;
mod request;
mod said;
mod settings;
mod telling;
mod turn;

pub use function::{Function, Role};
pub use gateway::{Gateway, PostError};
pub use parts::{FunctionError, Parts};
pub use settings::{Settings, SettingsError};
