//! Hostile input for what listens: the engine, the client's reading of frames, the server's sessions.
//!
//! A target takes any bytes, makes something of them that a peer, a disk or a driver could say, and panics
//! where a rule is broken. Two things feed the targets: `tests/short.rs`, in every test run, with seeded chance and
//! all that was kept in `corpus/` and `crashers/`; and libFuzzer, guided by coverage, for as long as one likes
//! (`node scripts/fuzz.mjs`, see CONTRIBUTING.md).
#![forbid(unsafe_code)]

mod chance;
mod engine;
mod frames;
mod session;
mod text;

pub use engine::engine;
pub use frames::frames;
pub use session::session;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 3] =
    [("engine", engine), ("frames", frames), ("session", session)];
