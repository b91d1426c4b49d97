//! Twinstore in the browser: a middleware and a reducer for the app's own store, and the engine's driver.
//!
//! Reading order: `twin.rs` (what the app holds), `dispatch.rs` (an action's way in), `driver.rs` (performs
//! what the engine orders), `replica.rs` (confirmed and visible state), `storage/`, `socket.rs`, `codec.rs`.
//! No rule of synchronisation lives here: those are in `crates/engine`.
//!
//! One rule holds throughout: no borrow of a `RefCell` is alive while JavaScript of the app runs, because a
//! subscriber may dispatch again.

mod clock;
mod codec;
mod dispatch;
mod driver;
mod error;
mod locks;
mod options;
mod replica;
mod socket;
mod storage;
mod tickets;
mod twin;
mod web;

// The public interface is:
pub use twin::{Twin, create_twin};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
