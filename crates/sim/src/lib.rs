//! Seeded worlds of real engines and a real server, under every fault that is known of.
//!
//! ```text
//!   device: tabs ── engine ── driver ──┐ links: lost, doubled,  ┌── session ── shard ── worker ── log
//!     disk, localStorage, locks, clock └── late, cut, half open ┘   the server's own, without threads
//! ```
//!
//! A world has a **safety phase**, in which faults strike while apps dispatch and every step is checked,
//! and a **liveness phase**: it heals, and within a bounded time every outbox is empty, what is held aside,
//! and every state is the fold of the log. The same seed and settings give the same world.
//!
//! Real: `twinstore-engine`, and of `twinstore-server` sessions, shards, workers, hub, fold and the log in
//! memory. Played: the network, the disks, the clocks, and the browser's driver (`tab.rs`, `storage.rs`,
//! `adoption.rs`), which follows the rules of `src/`.
//!
//! Reading order: `settings.rs`, `world.rs`, `tab.rs`, `backend.rs`, `truth.rs`, `liveness.rs`.

#![allow(clippy::large_enum_variant, reason = "a world has few of each")]

mod adoption;
mod backend;
mod chaos;
mod coverage;
mod death;
mod device;
mod dice;
mod disk;
mod env;
mod faulty_log;
mod liveness;
mod local_storage;
mod model;
mod network;
mod replica;
mod rows;
mod settings;
mod shrink;
mod storage;
mod tab;
mod tabs;
mod trial;
mod truth;
mod wire;
mod world;

// The public interface is:
pub use coverage::{Count, Coverage};
pub use settings::{Fault, Settings};
pub use shrink::shrink;
pub use trial::{Failure, Summary, plant, run, run_many};
pub use twinstore_protocol::planted::Bug;
