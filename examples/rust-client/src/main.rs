//! A Rust program as client: sales orders that can be written offline, survive `kill -9`, and are sent
//! when the server can be reached.
//!
//! ```sh
//! cargo run -p sales-order-client -- dispatch '{"type":"create","payload":{"id":"1","customer":"Ann"}}'
//! cargo run -p sales-order-client -- list
//! cargo run -p sales-order-client -- sync
//! ```
//!
//! What a program of one's own would take is `twin/`; here is the command line.

mod twin;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sales_order::SalesOrder;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use twinstore_engine::{LinkState, Notice, Status};
use twinstore_protocol::StreamId;

use crate::twin::{Link, Text, Twin};

/// Sales orders, offline too.
#[derive(Debug, Parser)]
struct Arguments {
    /// The SQLite file of this device: outbox and state.
    #[arg(long, value_name = "FILE", default_value = "orders-client.db")]
    store: PathBuf,
    /// The server's socket.
    #[arg(long, default_value = "ws://127.0.0.1:8787/sync")]
    url: String,
    /// The stream.
    #[arg(long, default_value = "salesOrder/demo")]
    stream: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store an action, to be sent by the next sync or run.
    Dispatch {
        /// A Redux action as JSON.
        action: String,
    },
    /// Print each order, with what is pending in it.
    List,
    /// Print each action that waits for its verdict, or is held.
    Pending,
    /// Send what waits, take what is new, and end.
    Sync {
        /// How long to try.
        #[arg(long, default_value = "30s")]
        within: humantime::Duration,
    },
    /// Stay connected; each line of standard input is an action.
    Run,
}

type Orders = Twin<SalesOrder>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match obey(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { store, url, stream, command } = arguments;
    let stream = StreamId::parse(&stream)?;
    let mut orders = Orders::open(&store, &stream)?;
    let link = Link::new(url);
    match command {
        Command::Dispatch { action } => dispatch(&mut orders, &action)?,
        Command::List => {
            for (_, order) in orders.state().entities.iter() {
                println!("{}", serde_json::to_string(order)?);
            }
        }
        Command::Pending => {
            for action in orders.pending() {
                println!("{action}");
            }
        }
        Command::Sync { within } => sync(&mut orders, link, within.into()).await?,
        Command::Run => run(&mut orders, link).await?,
    }
    Ok(())
}

/// When it says so the action is on the disk.
fn dispatch(orders: &mut Orders, action: &str) -> Result<(), Box<dyn Error>> {
    let n = orders.dispatch(serde_json::from_str(action)?)?;
    println!("{}", json!({ "stored": n.0 }));
    Ok(())
}

async fn sync(orders: &mut Orders, mut link: Link, within: Duration) -> Result<(), Box<dyn Error>> {
    orders.connect()?;
    let synced = async {
        while !is_synced(&orders.status()) {
            link.obey(orders).await;
            let fact = link.fact(orders).await;
            orders.take(fact)?;
            tell(orders);
        }
        Ok::<(), twin::TwinError>(())
    };
    match tokio::time::timeout(within, synced).await {
        Ok(synced) => Ok(synced?),
        Err(_) => Err(format!("the server did not answer within {within:?}").into()),
    }
}

fn is_synced(status: &Status) -> bool {
    status.link == LinkState::Online && status.pending == 0 && status.cursor == status.head
}

async fn run(orders: &mut Orders, mut link: Link) -> Result<(), Box<dyn Error>> {
    orders.connect()?;
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        link.obey(orders).await;
        tokio::select! {
            line = lines.next_line() => match line? {
                // An action that is not valid is no reason to end.
                Some(line) => if let Err(error) = dispatch(orders, &line) {
                    eprintln!("{error}");
                },
                None => return Ok(()),
            },
            fact = link.fact(orders) => orders.take(fact)?,
        }
        tell(orders);
    }
}

fn tell(orders: &mut Orders) {
    while let Some(notice) = orders.poll_notice() {
        let action = |text: &Text| serde_json::from_str(text.as_str()).unwrap_or(json!(null));
        let said = match &notice {
            Notice::Verdict { seq, error: None, action: a, .. } => {
                json!({ "confirmed": seq, "action": action(a) })
            }
            Notice::Verdict { seq, error: Some(error), action: a, .. } => {
                json!({ "rejected": seq, "reason": error.reason, "action": action(a) })
            }
            Notice::Held { reason, action: a, .. } => {
                json!({ "held": reason.as_str(), "action": action(a) })
            }
            Notice::Diverged(seq) => json!({ "diverged": seq }),
            Notice::Reset(held) => json!({ "reset": held }),
        };
        println!("{said}");
    }
}
