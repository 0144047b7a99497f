//! The device side: a TLS listener and one task per connection.

mod connect;
mod session;
mod topics;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::hub::Context;
use wire::Wire;

/// TLS handshake and CONNECT must be done by then.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Accepts devices until the hub stops.
pub(crate) async fn listen(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    context: Arc<Context>,
    sessions: TaskTracker,
) {
    let permits = Arc::new(Semaphore::new(context.max_connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = context.stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: some connection must end before another can begin.
                tracing::warn!(%error, "cannot accept a device connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            tracing::warn!(limit = context.max_connections, "connection refused: the limit is reached");
            continue;
        };
        let (acceptor, context) = (acceptor.clone(), Arc::clone(&context));
        sessions.spawn(async move {
            serve(stream, acceptor, context).await;
            drop(permit);
        });
    }
}

/// One connection from its first byte to its last.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, context: Arc<Context>) {
    let deadline = Instant::now() + CONNECT_WITHIN;
    let _ = stream.set_nodelay(true);
    let opening = async {
        let stream = acceptor.accept(stream).await.map_err(|error| error.to_string())?;
        let mut wire = Wire::new(stream);
        let accepted = connect::accept(&mut wire, &context).await?;
        Ok::<_, String>((wire, accepted))
    };
    let opened = tokio::select! {
        opened = tokio::time::timeout_at(deadline, opening) => opened,
        () = context.stop.cancelled() => return,
    };
    match opened {
        Ok(Ok((wire, accepted))) => session::run(wire, accepted, &context).await,
        Ok(Err(reason)) => tracing::debug!(%reason, "connection not opened"),
        Err(_) => tracing::debug!("connection not opened: no CONNECT within 30 seconds"),
    }
}
