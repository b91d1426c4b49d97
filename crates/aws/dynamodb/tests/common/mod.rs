//! A DynamoDB of the tests' own, and a client whose calls can be made to fail.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a part of tests")]

pub(crate) mod dice;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use twinstore_dynamodb::{DynamoLog, Options};

/// One emulator for all tests of a file; each log has a prefix of its own.
#[derive(Debug)]
pub(crate) struct Emulator {
    child: Mutex<Child>,
    endpoint: String,
}

static EMULATOR: OnceLock<Emulator> = OnceLock::new();
static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// What the tests run against: `TWINSTORE_DYNAMODB`, else an emulator that is started here.
pub(crate) fn endpoint() -> String {
    if let Ok(given) = std::env::var("TWINSTORE_DYNAMODB") {
        return given;
    }
    EMULATOR.get_or_init(Emulator::start).endpoint.clone()
}

pub(crate) fn prefix() -> String {
    let process = std::process::id();
    format!("t{process}-{}-", PREFIXES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(prefix: &str) -> Options {
    Options { prefix: prefix.to_owned(), endpoint: Some(endpoint()), ..Options::default() }
}

pub(crate) fn open(prefix: &str) -> DynamoLog {
    DynamoLog::open(&options(prefix)).expect("the emulator answers")
}

/// A log whose calls fail as told.
pub(crate) fn with_faults(prefix: &str) -> (DynamoLog, Faults) {
    let faults = Faults::default();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url(endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .interceptor(faults.clone())
        .build();
    let log = DynamoLog::with_client(Client::from_conf(config), &options(prefix));
    (log.expect("the emulator answers"), faults)
}

impl Emulator {
    #[expect(clippy::zombie_processes, reason = "what watches outlives this process")]
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(dynoxide())
            .args(["serve", "--log", "quiet", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("dynoxide is missing: node scripts/setup.mjs --tests installs it");
        let address = format!("127.0.0.1:{port}");
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "dynoxide does not start");
            assert!(Instant::now() < until, "dynoxide does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        // A test process may be killed, and statics are not dropped: the emulator goes with it.
        let watched = child.id();
        let watch = format!(
            "while kill -0 {} 2>/dev/null; do sleep 1; done; kill {watched}",
            std::process::id()
        );
        let nothing = || Stdio::null();
        Command::new("sh")
            .args(["-c", &watch])
            .stdin(nothing())
            .stdout(nothing())
            .stderr(nothing())
            .spawn()
            .expect("there is a shell");
        Self { child: Mutex::new(child), endpoint: format!("http://{address}") }
    }
}

/// Where `scripts/setup` puts it, unless `DYNOXIDE` says otherwise.
fn dynoxide() -> PathBuf {
    if let Some(given) = std::env::var_os("DYNOXIDE") {
        return given.into();
    }
    let cache = std::env::var_os("TWINSTORE_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        cache.unwrap_or_else(|| home.join(".cache")).join("twinstore")
    });
    let installed = cache.join("tools/bin/dynoxide");
    if installed.exists() { installed } else { "dynoxide".into() }
}

/// What happens to calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    planned: Arc<Mutex<Vec<Fault>>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// How many calls the process lives to make, and whether the last one's still arrives.
    life: Arc<Mutex<Option<(u32, bool)>>>,
}

/// One call that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Which operation.
    pub(crate) operation: &'static str,
    /// How many of them pass before.
    pub(crate) after: u32,
    /// How.
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It does not reach the service.
    Unsent,
    /// It does, and its answer is lost.
    Lost,
    /// It does, and what comes back is this answer, with status 400.
    Answered(&'static str),
}

impl Faults {
    pub(crate) fn plan(&self, operation: &'static str, after: u32, how: How) {
        self.planned.lock().unwrap().push(Fault { operation, after, how });
    }

    /// After so many calls the process is dead; the last one arrives, or does not.
    pub(crate) fn die_after(&self, calls: u32, arrives: bool) {
        *self.life.lock().unwrap() = Some((calls, arrives));
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(*self.life.lock().unwrap(), Some((0, _)))
    }

    /// Whether this call, to whomever, is still made.
    pub(crate) fn lives(&self) -> bool {
        let mut life = self.life.lock().unwrap();
        match &mut *life {
            None => true,
            Some((0, _)) => false,
            Some((1, arrives)) => {
                let arrives = *arrives;
                *life = Some((0, false));
                arrives
            }
            Some((calls, _)) => {
                *calls -= 1;
                true
            }
        }
    }

    /// The operations that were sent.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The fault that is due for that operation, if one is.
    fn due(&self, operation: &str, sent: bool) -> Option<How> {
        let mut planned = self.planned.lock().unwrap();
        let place = planned
            .iter()
            .position(|f| f.operation == operation && (f.how != How::Unsent) == sent)?;
        if planned[place].after > 0 {
            planned[place].after -= 1;
            return None;
        }
        Some(planned.remove(place).how)
    }
}

/// The operation of the call under way.
#[derive(Debug)]
struct Called(String);

impl Storable for Called {
    type Storer = StoreReplace<Self>;
}

fn operation(target: Option<&str>) -> String {
    target.and_then(|target| target.split_once('.')).map_or("", |(_, name)| name).to_owned()
}

impl Intercept for Faults {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = operation(context.request().headers().get("x-amz-target"));
        bag.interceptor_state().store_put(Called(operation.clone()));
        if !self.lives() || self.due(&operation, false).is_some() {
            return Err("not sent".into());
        }
        self.seen.lock().unwrap().push(operation);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Called>().map_or("", |called| called.0.as_str());
        if self.is_dead() {
            return Err("nobody hears the answer".into());
        }
        match self.due(operation, true) {
            None | Some(How::Unsent) => Ok(()),
            Some(How::Lost) => Err("the answer is lost".into()),
            Some(How::Answered(body)) => {
                let response = context.response_mut();
                *response.status_mut() = 400.try_into()?;
                response.headers_mut().remove("x-amz-crc32");
                *response.body_mut() = body.into();
                Ok(())
            }
        }
    }
}
