//! What measurements of a real server share: the process, and the actions.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The model's name and file.
pub(crate) const MODEL: (&str, &str) = ("salesOrder", "examples/sales-order/reducer.js");

/// So many actions make an order and delete it again: the state stays as small as it is.
pub(crate) const ORDER: u64 = 10;

/// The server's program: the one that is named, or the one that was built beside the example.
pub(crate) fn program(named: Option<&Path>) -> PathBuf {
    let built = || std::env::current_exe().unwrap().with_file_name("../twinstore");
    named.map_or_else(built, Path::to_owned)
}

/// A server, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Of its sockets.
    pub(crate) url: String,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(program: &Path, store: &Path) -> Self {
        let store = format!("sqlite:{}", store.display());
        let model = format!("{}={}", MODEL.0, MODEL.1);
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.args(["--store", &store, "--model", &model]);
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().expect("it says where").to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The action of that number, from 1.
pub(crate) fn action(n: u64) -> Value {
    let id = n.div_ceil(ORDER).to_string();
    let (kind, payload) = match (n - 1) % ORDER {
        0 => ("create", json!({ "id": id, "customer": "Ann" })),
        8 => ("confirm", json!({ "id": id })),
        9 => ("delete", json!({ "id": id })),
        step => {
            let line = json!({ "id": step.to_string(), "sku": "Tea", "quantity": 2, "price": 450 });
            ("addLine", json!({ "id": id, "line": line }))
        }
    };
    json!({ "type": kind, "payload": payload })
}
