//! Hints between processes: which streams have moved. Lost ones cost time, nothing else.
//!
//! One connection listens and tells. What was committed is told after the commit, gathered for some
//! milliseconds: a NOTIFY within a transaction makes all others wait for its commit.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_postgres::{AsyncMessage, Client, Notification};
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::log::{BackendError, Hint, Told};

use crate::connect::Connect;

/// How often those who listen look for themselves, since hints can be lost.
const LOOK: Duration = Duration::from_secs(2);

/// For how long commits are gathered into one hint.
const GATHER: Duration = Duration::from_millis(5);

/// How long to wait before another try to connect.
const RETRY: Duration = Duration::from_millis(500);

/// PostgreSQL takes less than 8,000 bytes.
const PAYLOAD_BYTES: usize = 7_000;

/// Hints that wait; beyond them one looks for oneself.
const WAITING: usize = 1_024;

const CHANNEL: &str = "twinstore";

/// What this process has to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints(Arc<Moved>);

#[derive(Debug, Default)]
struct Moved {
    /// Whether anyone takes them from here.
    watched: AtomicBool,
    streams: Mutex<BTreeMap<StreamId, Seq>>,
    some: Notify,
}

impl Hints {
    /// An append is durable.
    pub(crate) fn moved(&self, stream: &StreamId, seq: Seq) {
        if !self.0.watched.load(Ordering::Relaxed) {
            return;
        }
        self.lock().insert(stream.clone(), seq);
        self.0.some.notify_one();
    }

    /// Tells what others have appended, for as long as the runtime lives, and them what is here.
    pub(crate) async fn exchange(self, connect: Connect, told: Told) {
        self.0.watched.store(true, Ordering::Relaxed);
        loop {
            if let Err(error) = self.session(&connect, &told).await {
                tracing::warn!(
                    error = &*error as &dyn std::error::Error,
                    "no hints of other processes"
                );
            }
            sleep(RETRY).await;
            told(Hint::Look);
        }
    }

    async fn session(&self, connect: &Connect, told: &Told) -> Result<(), BackendError> {
        let (client, mut connection) = connect.config.connect(connect.tls.clone()).await?;
        let (sender, mut heard) = channel(WAITING);
        let lost = Arc::new(AtomicBool::new(false));
        let overflow = Arc::clone(&lost);
        // Ends with the connection, which ends with its client.
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                hear(message, &sender, &overflow);
            }
        });
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        let own: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        // Before this nothing was heard.
        told(Hint::Look);
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                note = heard.recv() => {
                    let note = note.ok_or("the connection is closed")?;
                    if note.process_id() != own {
                        tell(note.payload(), told);
                    }
                }
                () = self.0.some.notified() => {
                    self.send(&client).await?;
                    sleep(GATHER).await;
                }
                _ = ticks.tick() => told(Hint::Look),
            }
            if lost.swap(false, Ordering::Relaxed) {
                drain(&mut heard);
                told(Hint::Look);
            }
        }
    }

    async fn send(&self, client: &Client) -> Result<(), BackendError> {
        let moved = std::mem::take(&mut *self.lock());
        let mut payload = String::new();
        for (stream, seq) in moved {
            if payload.len() > PAYLOAD_BYTES {
                notify(client, &std::mem::take(&mut payload)).await?;
            }
            payload += &format!("{} {stream}\n", seq.0);
        }
        if payload.is_empty() { Ok(()) } else { notify(client, &payload).await }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<StreamId, Seq>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn notify(client: &Client, payload: &str) -> Result<(), BackendError> {
    client.execute("SELECT pg_notify($1, $2)", &[&CHANNEL, &payload]).await?;
    Ok(())
}

fn hear(message: AsyncMessage, sender: &Sender<Notification>, overflow: &AtomicBool) {
    if let AsyncMessage::Notification(note) = message
        && sender.try_send(note).is_err()
    {
        overflow.store(true, Ordering::Relaxed);
    }
}

fn drain(heard: &mut Receiver<Notification>) {
    while heard.try_recv().is_ok() {}
}

/// Anyone may notify: what makes no sense is left out.
fn tell(payload: &str, told: &Told) {
    for line in payload.lines() {
        let Some((seq, stream)) = line.split_once(' ') else { continue };
        if let (Ok(seq), Ok(stream)) = (seq.parse(), StreamId::parse(stream)) {
            told(Hint::Moved(stream, Seq(seq)));
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}
