//! A PostgreSQL of one's own: in a temporary folder, on a unix socket, ended with its handle.
//!
//! A superuser may not run it: as root it runs as `postgres` or `nobody`.
#![expect(clippy::unwrap_used, reason = "for tests: what fails is their finding")]

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::Url;

/// How long a database may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running database.
#[derive(Debug)]
pub struct Database {
    dir: TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Database {
    /// Makes one and starts it.
    ///
    /// # Panics
    /// Where there is no PostgreSQL, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        let bin = bin().expect("PostgreSQL is not installed: node scripts/setup.mjs --tests");
        // A socket's path has 107 bytes at most.
        let dir = tempfile::Builder::new().prefix("twinpg").tempdir_in("/tmp").unwrap();
        let user = (fs::metadata(dir.path()).unwrap().uid() == 0).then(other_user);
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let mut database = Self { dir, bin, user, server: None };
        let made = database
            .command("initdb")
            .args(["-D", "data", "-U", "twin", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .arg("--no-sync")
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        database.start_again(&[]);
        database
    }

    /// The URL of a store in it, made new for each name.
    #[must_use]
    pub fn store(&self, name: &str) -> Url {
        self.store_text(name).parse().unwrap()
    }

    /// The same as text.
    #[must_use]
    pub fn store_text(&self, name: &str) -> String {
        self.execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{name}\""));
        format!("{}&options=-c%20search_path%3D{name}", self.url())
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///postgres?user=twin&host={}", self.dir.path().display())
    }

    /// Runs statements.
    ///
    /// # Panics
    /// Where they fail.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    /// SIGKILL for the postmaster: all of its processes end, and nothing is tidied up.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Starts it, with settings as `name=value`, after a kill, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&mut self, settings: &[&str]) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut command = self.command("postgres");
            command.args(["-D", "data", "-k"]).arg(self.dir.path());
            command.args(["-c", "listen_addresses=", "-c", "shared_buffers=32MB"]);
            command.args(settings.iter().flat_map(|setting| ["-c", *setting]));
            let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            self.server = Some(server);
            if self.answers(began) {
                return;
            }
        }
        panic!("the database does not start");
    }

    /// False: it has ended, as it does while processes of the one before are still there.
    fn answers(&mut self, began: Instant) -> bool {
        while began.elapsed() < PATIENCE {
            if self.try_execute("SELECT 1").is_ok() {
                return true;
            }
            let server = self.server.as_mut().unwrap();
            if server.try_wait().unwrap().is_some() {
                sleep(Duration::from_millis(50));
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        false
    }

    fn try_execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let (url, sql) = (self.url(), sql.to_owned());
        // On a thread of its own: whoever tests may be in a runtime.
        let working = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                let driving = tokio::spawn(connection);
                let done = client.batch_execute(&sql).await;
                drop(client);
                let _ = driving.await;
                done
            })
        });
        working.join().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(self.dir.path()).env("LC_ALL", "C").stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // SIGQUIT: it ends at once and takes its processes with it.
        let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
        let _ = server.wait();
    }
}

/// Where PostgreSQL's programs are.
fn bin() -> Option<PathBuf> {
    let named = std::env::var_os("TWINSTORE_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut debian: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let usual = [PathBuf::from("/usr/local/bin")];
    let has = |bin: &PathBuf| ["initdb", "postgres"].iter().all(|name| bin.join(name).exists());
    named.into_iter().chain(on_path).chain(debian.into_iter().rev()).chain(usual).find(has)
}

/// A user that is not root, with its group.
fn other_user() -> (u32, u32) {
    let users = fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let id = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
        Some((ids.next()??, ids.next()??))
    };
    id("postgres").or_else(|| id("nobody")).expect("a user that is not root")
}
