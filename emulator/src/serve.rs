//! The emulator on a socket.

use std::{io, time::Duration};

use axum::body::Body;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::emulator::Emulator;

/// The pause after a connection could not be taken, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Emulator {
    /// Answers over HTTP/1.1 until the future is dropped, which breaks all connections.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Answers are small: waiting to fill a packet would only delay them.
            stream.set_nodelay(true)?;
            let emulator = self.clone();
            connections.spawn(async move {
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let emulator = emulator.clone();
                    async move { emulator.respond(request.map(Body::new)).await }
                });
                // An error here is a cut of ours or a client that went away; both are as they should be.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}
