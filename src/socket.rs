//! Sockets, shared by the twins of one address and user in this tab.
//!
//! A socket lives as long as one of its twins holds it: dropping the last handle closes it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};

use futures_util::{SinkExt, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::codec::frame_of;
use crate::web::{Fields, later};

/// What a socket tells each of its twins.
pub(crate) trait Peer {
    /// It is open.
    fn opened(&self);
    /// A text came, and the frame it is; none: it is no message of the protocol.
    fn said(&self, text: &JsValue, frame: Option<&Fields>);
    /// It is closed, or could not be opened.
    fn closed(&self);
}

pub(crate) struct Socket {
    key: String,
    raw: web_sys::WebSocket,
    open: Cell<bool>,
    peers: RefCell<Vec<Weak<dyn Peer>>>,
}

thread_local! {
    static SOCKETS: RefCell<Vec<Weak<Socket>>> = const { RefCell::new(Vec::new()) };
}

impl Socket {
    /// The socket of that address and line, opened where there is none; none: the address is not one.
    /// `peer` hears of it from now on.
    pub(crate) fn join(url: &str, line: &str, peer: Weak<dyn Peer>) -> Option<Rc<Self>> {
        let key = [url, " ", line].concat();
        let known =
            SOCKETS.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(|s| s.key == key));
        let Some(socket) = known else { return Self::open(key, url, peer) };
        if socket.open.get() {
            let peer = peer.clone();
            later(Box::new(move |_| peer.upgrade().iter().for_each(|p| p.opened())));
        }
        {
            let mut peers = socket.peers.borrow_mut();
            // One that left and comes back must not hear everything twice.
            peers.retain(|known| !known.ptr_eq(&peer));
            peers.push(peer);
        }
        Some(socket)
    }

    /// Sends a frame; on a socket that is not open it is lost, as on one that breaks.
    pub(crate) fn send(&self, text: &str) {
        let _ = self.raw.send_with_str(text);
    }

    fn open(key: String, url: &str, peer: Weak<dyn Peer>) -> Option<Rc<Self>> {
        let raw = web_sys::WebSocket::new(url).ok()?;
        let reading = WebSocket::try_from(raw.clone()).ok()?;
        let socket = Self { key, raw, open: Cell::new(false), peers: RefCell::new(vec![peer]) };
        let socket = Rc::new(socket);
        let weak = Rc::downgrade(&socket);
        SOCKETS.with_borrow_mut(|all| all.push(weak.clone()));
        spawn_local(run(weak, reading));
        Some(socket)
    }

    fn each_peer(&self, tell: impl Fn(&dyn Peer)) {
        // A peer may join or leave while it is told: the list is not borrowed then.
        let peers = self.peers.borrow().clone();
        for peer in peers.iter().filter_map(Weak::upgrade) {
            tell(&*peer);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.raw.close();
        SOCKETS.with_borrow_mut(|all| all.retain(|s| s.strong_count() > 0));
    }
}

/// The socket's life. Holds no handle: the twins decide how long it lives. It always runs until the browser
/// has said that the socket is closed, since an event after the end would meet a closure that is gone.
async fn run(socket: Weak<Socket>, mut reading: WebSocket) {
    // Ready means open, or failed, which the first message then says.
    let _ = poll_fn(|cx| reading.poll_ready_unpin(cx)).await;
    if let Some(socket) = socket.upgrade().filter(|s| s.raw.ready_state() == OPEN) {
        socket.open.set(true);
        socket.each_peer(|peer| peer.opened());
    }
    while let Some(message) = reading.next().await {
        let (Ok(message), Some(socket)) = (message, socket.upgrade()) else { continue };
        let text = match message {
            Message::Text(text) => JsValue::from_str(&text),
            Message::Bytes(_) => JsValue::NULL,
        };
        let frame = frame_of(&text);
        socket.each_peer(|peer| peer.said(&text, frame.as_ref()));
    }
    let Some(socket) = socket.upgrade() else { return };
    // Out of the list first: who is told that it is closed may open another at once.
    SOCKETS.with_borrow_mut(|all| all.retain(|s| !s.ptr_eq(&Rc::downgrade(&socket))));
    socket.open.set(false);
    socket.each_peer(|peer| peer.closed());
}

/// `WebSocket.OPEN`.
const OPEN: u16 = 1;
