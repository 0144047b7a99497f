//! The host as a whole: reads the app, starts the handler, the triggers and the HTTP endpoint, and ends them in order.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    sync::{Mutex, Semaphore, broadcast, mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    HostError, HostEvent,
    checkpoint::Documents,
    conductor::{Conductor, Ended, ServerTask, SupervisorTask},
    encode::event_hub::Partition,
    events::Events,
    handler::{self, Command, CommandLine, HandlerControl, HandlerState, Supervisor, supervise_external},
    http::{HttpFunction, HttpState, serve},
    invoke::{Failure, Invoker},
    settings::{Bind, FunctionDefinition, Handler, HostConfig, HostJson, OutKind, Trigger, load_functions},
    triggers::{event_hub::PartitionLoop, queue::QueueLoop, timer::Timer},
};

/// A running host. Dropping it kills the handler and ends everything at once; [`FunctionsHost::stop`] does it in order.
pub struct FunctionsHost {
    address: SocketAddr,
    events: Events,
    handler: HandlerControl,
    timers: Arc<HashMap<String, Arc<Timer>>>,
    stop: CancellationToken,
    abort: CancellationToken,
    ended: watch::Receiver<Ended>,
    conductor: JoinHandle<()>,
}

impl std::fmt::Debug for FunctionsHost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FunctionsHost").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FunctionsHost {
    /// Starts the host. The app is read and checked whole, and the HTTP endpoint bound, before this returns; the handler
    /// may still be starting, and invocations wait for it (see [`FunctionsHost::ready`]).
    pub async fn start(config: HostConfig) -> Result<Self, HostError> {
        let settings = HostJson::load(&config.app_folder, &config.environment)?;
        let functions: Vec<Arc<FunctionDefinition>> =
            load_functions(&config.app_folder, &config.environment)?.into_iter().map(Arc::new).collect();
        check_ports(&config, &functions)?;
        let documents = Documents::new(config.data_folder.clone());
        documents.prepare()?;
        let events = Events::new();
        let (supervisor, handler) = handler_task(&config, &settings, !functions.is_empty(), &events)?;

        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let (fatal, fatal_reasons) = mpsc::channel(4);
        let invoker = Invoker {
            client: handler::client(),
            handler: handler.clone(),
            events: events.clone(),
            queues: config.queues.clone(),
            framing: config.framing,
            traceparent: config.traceparent,
            function_timeout: config.function_timeout.or(settings.function_timeout),
            stopping: stop.clone(),
            abort: abort.clone(),
            fatal,
        };
        let parts = Parts::build(&config, &settings, &functions, &invoker, &documents).await?;

        let listener = listen(config.bind)?;
        let address =
            listener.local_addr().map_err(|source| HostError::Listen { address: String::new(), source })?;
        let timers = Arc::new(parts.timers);
        let custom = settings.custom_handler.as_ref();
        let state = Arc::new(HttpState {
            invoker,
            routes: HttpFunction::all(&functions),
            prefix: settings.http.route_prefix.clone(),
            proxying: custom.is_some_and(|handler| handler.proxying),
            forwarding: custom.is_some_and(|handler| handler.forwarding),
            permits: Arc::new(Semaphore::new(settings.http.max_concurrent_requests)),
            timers: Arc::clone(&timers),
            queues: parts.queues.iter().map(|queue| (queue.function.name.clone(), queue.clone())).collect(),
            names: functions
                .iter()
                .map(|function| (function.name.clone(), kind(&function.trigger)))
                .collect(),
        });
        let http_stop = CancellationToken::new();
        let http_end = http_stop.clone();
        let app = Router::new().fallback(serve).with_state(state);
        let server: ServerTask = Box::pin(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(http_end.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "the HTTP endpoint failed");
            }
        });

        let mut work = JoinSet::new();
        for partition in parts.partitions {
            work.spawn(partition.run());
        }
        for queue in parts.queues {
            work.spawn(queue.run());
        }
        for timer in timers.values() {
            let timer = Arc::clone(timer);
            work.spawn(async move { timer.run().await });
        }
        let (ended_sender, ended) = watch::channel(None);
        let conductor = Conductor {
            events: events.clone(),
            handler: handler.clone(),
            stop: stop.clone(),
            abort: abort.clone(),
            http_stop,
            drain: config.drain,
            ended: ended_sender,
        };
        let conductor = tokio::spawn(conductor.run(supervisor, fatal_reasons, work, server));
        Ok(Self { address, events, handler, timers, stop, abort, ended, conductor })
    }

    /// Where the HTTP endpoint listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the handler listens, such as `http://127.0.0.1:40123`.
    pub fn handler_url(&self) -> String {
        format!("http://{}", self.handler.authority)
    }

    /// Process id of a handler that is ready; none while it starts and for an external one.
    pub fn handler_pid(&self) -> Option<u32> {
        self.handler.pid()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<HostEvent> {
        self.events.subscribe()
    }

    /// Waits until the handler is ready, or says why the host stopped.
    pub async fn ready(&self) -> Result<(), HostError> {
        match self.handler.serving().await {
            Some(_) => Ok(()),
            None => {
                self.wait().await?;
                Err(HostError::Stopped { reason: "it was told to stop".to_owned() })
            }
        }
    }

    /// SIGKILL to the handler and what it started, as if the system had done it; counts as an error of the handler.
    pub async fn kill_handler(&self) {
        self.handler.send(Command::Kill).await;
    }

    /// Runs a timer function now, after a run that goes on, and waits for its end.
    pub async fn invoke_timer(&self, name: &str) -> Result<(), HostError> {
        let timer = self.timers.get(name).ok_or_else(|| {
            let mut known: Vec<&str> = self.timers.keys().map(String::as_str).collect();
            known.sort_unstable();
            HostError::NoSuchFunction { kind: "timer", name: name.to_owned(), known: known.join(", ") }
        })?;
        timer.invoke(false).await.map_err(|failure| match failure {
            Failure::Failed(cause) => HostError::Invocation { function: name.to_owned(), cause },
            Failure::Stopping => HostError::Stopped { reason: "it stops".to_owned() },
        })
    }

    /// Waits for the end: fine after [`FunctionsHost::stop`], an error when the host gave up.
    pub async fn wait(&self) -> Result<(), HostError> {
        let mut ended = self.ended.clone();
        let gone = || HostError::Stopped { reason: "its task ended unexpectedly".to_owned() };
        let end = ended.wait_for(Option::is_some).await.map_err(|_| gone())?;
        match &*end {
            Some(Some(reason)) => Err(HostError::Stopped { reason: reason.clone() }),
            _ => Ok(()),
        }
    }

    /// Stops taking work, lets running invocations finish for `drain`, kills the handler, closes the endpoint. May be called again.
    pub async fn stop(&self) {
        self.stop.cancel();
        // How it ended is for `wait` to say.
        let _ = self.wait().await;
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        self.stop.cancel();
        self.abort.cancel();
        if self.ended.borrow().is_none() {
            // Dropping the supervisor drops the process, which kills it.
            self.conductor.abort();
        }
    }
}

/// The triggers' loops, built and checked before anything runs.
struct Parts {
    partitions: Vec<PartitionLoop>,
    queues: Vec<QueueLoop>,
    timers: HashMap<String, Arc<Timer>>,
}

impl Parts {
    async fn build(
        config: &HostConfig,
        settings: &HostJson,
        functions: &[Arc<FunctionDefinition>],
        invoker: &Invoker,
        documents: &Documents,
    ) -> Result<Self, HostError> {
        let mut parts = Self { partitions: Vec::new(), queues: Vec::new(), timers: HashMap::new() };
        for function in functions {
            let retry = function.retry.clone().or_else(|| settings.retry.clone());
            if let Some(service) = &config.queues {
                for output in &function.outputs {
                    if let OutKind::Queue { queue } = &output.kind {
                        service.create(queue).await?;
                    }
                }
            }
            match &function.trigger {
                Trigger::EventHub { event_hub_name, consumer_group, cardinality, data_type } => {
                    let Some(source) = &config.event_source else { continue };
                    for partition in 0..source.partition_count() {
                        parts.partitions.push(PartitionLoop {
                            invoker: invoker.clone(),
                            function: Arc::clone(function),
                            source: Arc::clone(source),
                            documents: documents.clone(),
                            settings: settings.event_hubs.clone(),
                            retry: retry.clone(),
                            partition: Partition {
                                function: function.name.clone(),
                                binding: function.binding.clone(),
                                namespace: source.fully_qualified_namespace(),
                                event_hub: event_hub_name.clone(),
                                consumer_group: consumer_group.clone(),
                                partition,
                            },
                            cardinality: *cardinality,
                            data_type: *data_type,
                            checkpoint: documents.checkpoint(&function.name, partition).await?,
                        });
                    }
                }
                Trigger::Timer { schedule, run_on_startup, use_monitor } => {
                    let monitor = *use_monitor && !schedule.is_sub_minute(chrono::Utc::now());
                    let kept = if monitor { documents.timer(&function.name).await? } else { None };
                    let timer = Timer {
                        invoker: invoker.clone(),
                        function: Arc::clone(function),
                        documents: documents.clone(),
                        retry,
                        schedule: schedule.clone(),
                        run_on_startup: *run_on_startup,
                        monitor,
                        status: Mutex::new(Timer::initial(kept, schedule)),
                    };
                    parts.timers.insert(function.name.clone(), Arc::new(timer));
                }
                Trigger::Queue { queue, data_type } => {
                    let Some(service) = &config.queues else { continue };
                    service.create(queue).await?;
                    parts.queues.push(QueueLoop {
                        invoker: invoker.clone(),
                        function: Arc::clone(function),
                        service: Arc::clone(service),
                        settings: settings.queues.clone(),
                        queue: queue.clone(),
                        data_type: *data_type,
                    });
                }
                Trigger::Http { .. } => {}
            }
        }
        Ok(parts)
    }
}

fn check_ports(config: &HostConfig, functions: &[Arc<FunctionDefinition>]) -> Result<(), HostError> {
    for function in functions {
        let missing =
            |what, port| Err(HostError::MissingPort { function: function.name.clone(), what, port });
        let queue_out = function.outputs.iter().any(|output| matches!(output.kind, OutKind::Queue { .. }));
        match &function.trigger {
            Trigger::EventHub { .. } if config.event_source.is_none() => {
                return missing("an eventHubTrigger", "event_source");
            }
            Trigger::Queue { .. } if config.queues.is_none() => return missing("a queueTrigger", "queues"),
            _ if queue_out && config.queues.is_none() => return missing("a queue output", "queues"),
            _ => {}
        }
    }
    Ok(())
}

fn handler_task(
    config: &HostConfig,
    settings: &HostJson,
    needed: bool,
    events: &Events,
) -> Result<(SupervisorTask, HandlerControl), HostError> {
    let custom = settings.custom_handler.as_ref();
    let initialization_timeout =
        custom.map_or(Duration::from_secs(30), |custom| custom.initialization_timeout);
    match (&config.handler, custom) {
        (Handler::External { url }, _) => {
            let (run, control) = supervise_external(url, initialization_timeout, events.clone())?;
            Ok((Box::pin(run), control))
        }
        (Handler::FromHostJson, _) if !needed => {
            // An app without functions starts no handler; a control that never serves stands in.
            let (commands, mut receiver) = mpsc::channel(4);
            let (keep, state) = watch::channel(HandlerState::Starting);
            let authority = axum::http::uri::Authority::from_static("127.0.0.1:1");
            let run = async move {
                let ended = loop {
                    match receiver.recv().await {
                        Some(Command::Stop { done }) => {
                            let _ = done.send(());
                            break None;
                        }
                        None => break None,
                        Some(_) => {}
                    }
                };
                drop(keep);
                ended
            };
            Ok((Box::pin(run), HandlerControl { authority, commands, state, initialization_timeout }))
        }
        (Handler::FromHostJson, None) => Err(HostError::HostJson(
            "customHandler is missing; name the handler's executable there".to_owned(),
        )),
        (Handler::FromHostJson, Some(custom)) => {
            let line = CommandLine::new(custom, &config.app_folder, &config.environment)?;
            let settings = handler::Settings {
                port: custom.port,
                initialization_timeout,
                error_limit: config.error_limit,
                grace: config.graceful_stop,
            };
            let (supervisor, control) = Supervisor::new(line, &settings, events.clone())?;
            Ok((Box::pin(supervisor.run()), control))
        }
    }
}

fn listen(bind: Bind) -> Result<tokio::net::TcpListener, HostError> {
    let (address, listener) = match bind {
        Bind::Address(address) => (address.to_string(), std::net::TcpListener::bind(address)),
        Bind::Listener(listener) => {
            (listener.local_addr().map(|address| address.to_string()).unwrap_or_default(), Ok(listener))
        }
    };
    listener
        .and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        })
        .map_err(|source| HostError::Listen { address, source })
}

fn kind(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::EventHub { .. } => "eventHubTrigger",
        Trigger::Timer { .. } => "timerTrigger",
        Trigger::Queue { .. } => "queueTrigger",
        Trigger::Http { .. } => "httpTrigger",
    }
}
