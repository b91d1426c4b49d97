//! Twinstore in the browser: the middleware and the reducer for the app's own store, and the engine's driver.
//!
//! Reading order: `core.rs` (what JavaScript holds), `dispatch.rs` (an action's way in), `driver.rs` (performs
//! what the engine orders), `replica.rs` (confirmed and visible state), `storage/`, `socket.rs`, `codec.rs`.
//! No rule of synchronisation lives here: those are in `crates/engine`. What needs neither a rule nor Rust
//! (options, listeners, promises, locks) is in `js/`, where it weighs a quarter.
//!
//! One rule holds throughout: no borrow of a `RefCell` is alive while JavaScript of the app runs, because a
//! subscriber may dispatch again.

mod clock;
mod codec;
mod core;
mod dispatch;
mod driver;
mod host;
mod replica;
mod socket;
mod storage;
mod web;

// The public interface is:
pub use core::Core;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
