//! A server with a model in Rust: what `twinstore serve` is for models in JavaScript, on the same
//! wire.
//!
//! ```sh
//! cargo run -p sales-order-server -- --store orders.db
//! ```

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use sales_order::SalesOrder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use twinstore_server::log::SqliteLog;
use twinstore_server::model::Models;
use twinstore_server::{Options, Server};

/// Serve sales orders.
#[derive(Debug, Parser)]
struct Arguments {
    /// The SQLite file that events are kept in.
    #[arg(long, value_name = "FILE", default_value = "orders.db")]
    store: PathBuf,
    /// The address to listen on; with port 0 the system chooses one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { store, listen } = Arguments::parse();
    let log = Arc::new(SqliteLog::open(&store)?);
    let server = Server::start(Options::new(Models::new(), log).with_model::<SalesOrder>()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on http://{address}, sync at ws://{address}/sync")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    twinstore_server::run(listener, server, shutdown).await?;
    Ok(())
}
