//! Sockets, shared by the twins of one address and user in this tab.
//!
//! A socket lives as long as one of its twins holds it: dropping the last handle closes it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use futures_util::future::{AbortHandle, Abortable, FutureExt, poll_fn};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, State};
use wasm_bindgen_futures::spawn_local;

use crate::web::{Fields, parse};

/// What a socket tells each of its twins.
pub(crate) trait Peer {
    /// It is open.
    fn opened(&self);
    /// A frame came, parsed; none: it was not JSON.
    fn said(&self, frame: Option<&Fields>);
    /// It is closed, or could not be opened.
    fn closed(&self);
}

pub(crate) struct Socket {
    key: String,
    peers: RefCell<Vec<Weak<dyn Peer>>>,
    /// There once the socket is open.
    sink: RefCell<Option<SplitSink<WebSocket, Message>>>,
    abort: AbortHandle,
}

thread_local! {
    static SOCKETS: RefCell<Vec<Weak<Socket>>> = const { RefCell::new(Vec::new()) };
}

impl Socket {
    /// The socket of that address and user, opened where there is none. `peer` hears of it from now on.
    pub(crate) fn join(url: &str, user: &str, peer: Weak<dyn Peer>) -> Rc<Self> {
        let key = [url, " ", user].concat();
        let known =
            SOCKETS.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(|s| s.key == key));
        let Some(socket) = known else { return Self::open(key, url, peer) };
        if socket.sink.borrow().is_some() {
            let peer = peer.clone();
            spawn_local(async move { peer.upgrade().iter().for_each(|p| p.opened()) });
        }
        {
            let mut peers = socket.peers.borrow_mut();
            // One that left and comes back must not hear everything twice.
            peers.retain(|known| !known.ptr_eq(&peer));
            peers.push(peer);
        }
        socket
    }

    /// Sends a frame; on a socket that is not open it is lost, as on one that breaks.
    pub(crate) fn send(&self, text: String) {
        if let Some(sink) = self.sink.borrow_mut().as_mut() {
            // gloo's sink is ready at once when the socket is open.
            let _ = sink.send(Message::Text(text)).now_or_never();
        }
    }

    fn open(key: String, url: &str, peer: Weak<dyn Peer>) -> Rc<Self> {
        let (abort, registration) = AbortHandle::new_pair();
        let socket =
            Rc::new(Self { key, peers: RefCell::new(vec![peer]), sink: RefCell::new(None), abort });
        SOCKETS.with_borrow_mut(|all| all.push(Rc::downgrade(&socket)));
        let (weak, url) = (Rc::downgrade(&socket), url.to_owned());
        let run = Abortable::new(run(weak, url), registration);
        spawn_local(run.map(|_| ()));
        socket
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
        self.abort.abort();
        SOCKETS.with_borrow_mut(|all| all.retain(|s| s.strong_count() > 0));
    }
}

/// The socket's life. Holds no handle of its own: the twins decide how long it lives.
async fn run(socket: Weak<Socket>, url: String) {
    read(&socket, &url).await;
    let Some(socket) = socket.upgrade() else { return };
    // Out of the list first: who is told that it is closed may open another at once.
    SOCKETS.with_borrow_mut(|all| all.retain(|s| s.upgrade().is_some_and(|s| s.key != socket.key)));
    socket.sink.take();
    socket.each_peer(|peer| peer.closed());
}

async fn read(socket: &Weak<Socket>, url: &str) {
    let Ok(mut web_socket) = WebSocket::open(url) else { return };
    let ready = poll_fn(|cx| web_socket.poll_ready_unpin(cx)).await;
    if ready.is_err() || !matches!(web_socket.state(), State::Open) {
        return;
    }
    let (sink, mut frames) = web_socket.split();
    {
        let Some(socket) = socket.upgrade() else { return };
        socket.sink.replace(Some(sink));
        socket.each_peer(|peer| peer.opened());
    }
    while let Some(Ok(message)) = frames.next().await {
        let Some(socket) = socket.upgrade() else { return };
        let frame = match message {
            Message::Text(text) => parse(&text).ok().and_then(|value| Fields::of(&value)),
            Message::Bytes(_) => None,
        };
        socket.each_peer(|peer| peer.said(frame.as_ref()));
    }
}
