//! The program as a process of its own: it serves thin clients, and after kill -9 all is there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[test]
fn verdicts_survive_its_death() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Running::start(dir.path());
    let said = server.request(
        "POST",
        "/streams/salesOrder%2Fdemo/actions",
        r#"[{"type":"create","payload":{"id":"1","customer":"Ann"}},{"type":"confirm","payload":{"id":"1"}}]"#,
    );
    let record = r#"{"id":"1","customer":"Ann","status":"draft","lines":[],"total":0}"#;
    assert!(said.contains(record), "{said}");
    assert!(said.contains("order 1 has no lines"), "{said}");
    drop(server);
    let server = Running::start(dir.path());
    let said = server.request("GET", "/streams/salesOrder%2Fdemo/state", "");
    assert!(said.contains(&format!(r#"{{"entities":{{"1":{record}}}}}"#)), "{said}");
}

struct Running {
    child: Child,
    port: u16,
}

impl Running {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sales-order-server"))
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it speaks");
        let port = line.split("ws://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok());
        Self { child, port: port.unwrap_or_else(|| panic!("it did not listen: {line}")) }
    }

    /// HTTP/1.0: the body is as it is, not in chunks.
    fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let length = body.len();
        write!(
            socket,
            "{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}
