//! The end of a host: noticing its cause, and ending everything in order.

use std::{pin::Pin, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    HostEvent,
    events::{Events, LogLevel},
    handler::HandlerControl,
};

/// How the host ended: none while it runs, then the reason when it stopped by itself.
pub(crate) type Ended = Option<Option<String>>;
/// The HTTP endpoint.
pub(crate) type ServerTask = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What keeps the handler running; gives the reason when it gives up.
pub(crate) type SupervisorTask = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The task that ends things in order.
pub(crate) struct Conductor {
    pub(crate) events: Events,
    pub(crate) handler: HandlerControl,
    pub(crate) stop: CancellationToken,
    pub(crate) abort: CancellationToken,
    pub(crate) http_stop: CancellationToken,
    pub(crate) drain: Duration,
    pub(crate) ended: watch::Sender<Ended>,
}

impl Conductor {
    pub(crate) async fn run(
        self,
        supervisor: SupervisorTask,
        mut fatal: mpsc::Receiver<String>,
        mut work: JoinSet<()>,
        server: ServerTask,
    ) {
        // Owned here, so that aborting this task aborts them too.
        let mut supervising = JoinSet::new();
        supervising.spawn(supervisor);
        let mut serving = JoinSet::new();
        serving.spawn(server);
        let (reason, handler_ended) = tokio::select! {
            () = self.stop.cancelled() => (None, false),
            ended = supervising.join_next() => {
                let gone = || "the handler's supervisor ended unexpectedly".to_owned();
                match ended {
                    Some(Ok(Some(reason))) => (Some(reason), true),
                    _ => (Some(gone()), true),
                }
            }
            Some(reason) = fatal.recv() => (Some(reason), false),
        };
        if let Some(reason) = &reason {
            self.events.log(LogLevel::Error, None, reason.clone());
        }
        self.stop.cancel();
        self.http_stop.cancel();
        // With the handler gone for good, nothing that runs can end well.
        if handler_ended || !drained(&mut work, self.drain).await {
            self.abort.cancel();
        }
        drained(&mut work, Duration::from_secs(2)).await;
        work.shutdown().await;
        if !handler_ended {
            self.handler.stop().await;
        }
        self.abort.cancel();
        let closed = tokio::time::timeout(Duration::from_secs(2), serving.join_next()).await;
        if closed.is_err() {
            serving.shutdown().await;
        }
        let shown = reason.clone().unwrap_or_else(|| "told to stop".to_owned());
        self.events.emit(HostEvent::Stopped { reason: shown });
        self.ended.send_replace(Some(reason));
    }
}

/// Waits for the end of all loops; false when it took too long.
async fn drained(work: &mut JoinSet<()>, most: Duration) -> bool {
    tokio::time::timeout(most, async { while work.join_next().await.is_some() {} }).await.is_ok()
}
