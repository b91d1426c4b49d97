//! The socket of a twin, as `socket.js` shares it with others of this tab.

use wasm_bindgen::prelude::*;

use crate::host::Host;

#[wasm_bindgen(module = "/src/socket.js")]
extern "C" {
    /// A socket that this twin holds.
    pub(crate) type Socket;
    /// The socket of that address and line; none: the address is not one. `host` hears of it from now on.
    pub(crate) fn join(url: &str, line: &str, host: &Host, turn: u32) -> Option<Socket>;
    /// Sends a frame; on a socket that is not open it is lost, as on one that breaks.
    #[wasm_bindgen(method)]
    pub(crate) fn send(this: &Socket, text: &str);
    /// This twin holds it no more.
    #[wasm_bindgen(method)]
    pub(crate) fn leave(this: &Socket, host: &Host);
}
