//! The real binary as a process of its own.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "each test uses a part"
)]

pub mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub const MODEL: &str = "
export default (state = { entities: {} }, { type, payload }) =>
  type === 'put' ? { entities: { ...state.entities, [payload.id]: payload } } : state
export const validate = (_, { type }) => type === 'bad' ? 'not this' : undefined
";

/// A directory with a model, where commands are run.
pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a directory") };
        place.file("m.js", MODEL);
        place
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("it writes");
        path
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twinstore"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[], &[])
    }

    pub fn serve_with(&self, args: &[&str], env: &[(&str, &str)]) -> Server {
        let mut all = vec!["serve", "--model", "m=m.js", "--listen", "127.0.0.1:0"];
        all.extend(args);
        self.serve_by(&all, env)
    }

    /// Starts a server by these arguments, which name the port 0 of the loopback.
    pub fn serve_by(&self, args: &[&str], env: &[(&str, &str)]) -> Server {
        let mut command = self.command(args);
        let command = command.envs(env.iter().copied());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it speaks");
        let port = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next());
        let port = port.and_then(|address| address.rsplit(':').next());
        let Some(port) = port.and_then(|port| port.parse().ok()) else {
            let mut said = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut said).expect("it speaks");
            panic!("it did not listen: {line}{said}");
        };
        Server { child, port }
    }
}

pub struct Server {
    pub child: Child,
    pub port: u16,
}

impl Server {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM; gives the exit code and what it logged.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
        let code = self.child.wait().expect("it ends").code();
        let mut log = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut log).expect("it speaks");
        (code, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed test must not leave its server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// That a command fails with this code, and says these things.
#[track_caller]
pub fn fails(place: &Place, args: &[&str], code: i32, parts: &[&str]) {
    let output = place.run(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

/// Posts actions to the stream m/x.
#[track_caller]
pub fn post(port: u16, body: &str) {
    let (status, answer) = request(port, "POST", "/streams/m%2Fx/actions", body);
    assert_eq!(status, 200, "{answer}");
}

/// One request, with its answer's status and body. HTTP/1.0: the body is as it is, not in chunks.
#[track_caller]
pub fn request(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    request_by("", port, method, path, body)
}

/// The same with a token, where it is not empty.
#[track_caller]
pub fn request_by(token: &str, port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let token = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.0\r\nhost: x\r\n{token}content-length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// The sum of a metric's samples.
#[track_caller]
pub fn get_metrics(port: u16, name: &str) -> f64 {
    let (status, text) = request(port, "GET", "/metrics", "");
    assert_eq!(status, 200, "{text}");
    let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    text.lines().filter(of_name).filter_map(value).sum()
}
