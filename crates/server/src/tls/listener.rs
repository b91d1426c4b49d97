//! Connections whose handshake is done. Those that are slow at it hold up nobody else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Certificate;
use crate::limits;

type Opened = (TlsStream<TcpStream>, SocketAddr);

/// A listener that speaks TLS.
#[derive(Debug)]
pub(crate) struct TlsListener {
    address: SocketAddr,
    opened: mpsc::Receiver<Opened>,
    accepting: JoinHandle<()>,
    refreshing: JoinHandle<()>,
}

impl TlsListener {
    pub(super) fn new(
        listener: TcpListener,
        acceptor: TlsAcceptor,
        certificate: Arc<Certificate>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (to, opened) = mpsc::channel(limits::TLS_OPENED);
        let accepting = tokio::spawn(accept_all(listener, acceptor, to));
        let refreshing = tokio::spawn(refresh(certificate));
        Ok(Self { address, opened, accepting, refreshing })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
        self.refreshing.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Opened {
        match self.opened.recv().await {
            Some(opened) => opened,
            // The accepting task ends with this alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(mut listener: TcpListener, acceptor: TlsAcceptor, to: mpsc::Sender<Opened>) {
    let handshakes = Arc::new(Semaphore::new(limits::TLS_HANDSHAKES));
    loop {
        // More than that wait with the system, as before a listener that is busy.
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        // It logs and goes on where a connection cannot be taken.
        let (stream, address) = Listener::accept(&mut listener).await;
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            match timeout(limits::TLS_HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(to.send((stream, address)).await),
                Ok(Err(error)) => tracing::debug!(%address, %error, "a handshake failed"),
                Err(_) => tracing::debug!(%address, "a handshake took too long"),
            }
            drop(permit);
        });
    }
}

async fn refresh(certificate: Arc<Certificate>) {
    let mut ticks = interval(limits::TLS_REFRESH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        certificate.refresh();
    }
}
