//! The child process: started, restarted, given up, ended.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use twinwright_local_functions_host::{
    FunctionsHost, Handler, HostConfig, HostError, HostEvent, MemoryEventSource,
};

use crate::support::{App, DEADLINE, example_host_json, start, until};

fn app(more: &str) -> App {
    let timer = |name: &str| {
        let json = r#"{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 3 1 1 *"}]}"#;
        (name.to_owned(), json)
    };
    ["ok", "exit0", "exit1", "exit200", "empty"]
        .map(timer)
        .into_iter()
        .fold(App::new(&example_host_json(more)), |app, (name, json)| app.function(&name, json))
}

fn config(app: &App) -> HostConfig {
    let mut config = app.config(Handler::FromHostJson);
    config.environment.push(("APP_SETTING".to_owned(), "a value".to_owned()));
    config
}

fn runs(pid: u32) -> bool {
    // A zombie no longer runs; field three of stat is the state.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

async fn gone(pid: u32) {
    let wait = async {
        while runs(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("process {pid} still runs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_gets_its_environment_and_ends_with_the_host() {
    let app = app("");
    let host = FunctionsHost::start(config(&app)).await.unwrap();
    let mut events = host.events();
    let line = |start: &'static str| {
        move |event: &HostEvent| match event {
            HostEvent::Log { line, .. } if line.starts_with(start) => Some(line.clone()),
            _ => None,
        }
    };
    // The setting holds a space, and arguments are not quoted.
    assert!(until(&mut events, line("listening")).await.ends_with(r#"["--name", "a", "value"]"#));
    assert_eq!(until(&mut events, line("environment")).await, "environment true true true a value");
    host.ready().await.unwrap();
    host.invoke_timer("ok").await.unwrap();
    assert_eq!(until(&mut events, line("ok ran")).await, "ok ran");
    let pid = host.handler_pid().unwrap();
    host.stop().await;
    gone(pid).await;
    host.wait().await.unwrap();
    assert!(matches!(host.invoke_timer("ok").await, Err(HostError::Stopped { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_200_is_not_counted_and_the_third_error_stops_the_host() {
    let app = app("");
    let host = start(config(&app)).await;
    let (url, mut pid) = (host.handler_url(), host.handler_pid().unwrap());
    let mut events = host.events();
    for (function, counted) in
        [("exit200", false), ("exit200", false), ("exit200", false), ("exit1", true), ("exit1", true)]
    {
        assert!(host.invoke_timer(function).await.is_err());
        let (found, detail) = until(&mut events, |event| match event {
            HostEvent::HandlerExited { counted, detail, .. } => Some((*counted, detail.clone())),
            _ => None,
        })
        .await;
        assert_eq!(found, counted, "{detail}");
        assert_eq!(detail.contains("last words"), counted);
        // Calls wait for the new process.
        host.invoke_timer("ok").await.unwrap();
        assert_eq!(host.handler_url(), url);
        let new = host.handler_pid().unwrap();
        assert_ne!(new, pid);
        pid = new;
    }
    host.kill_handler().await;
    let reason = tokio::time::timeout(DEADLINE, host.wait()).await.unwrap().unwrap_err().to_string();
    assert!(reason.contains("restart retry count"), "{reason}");
    until(&mut events, |event| matches!(event, HostEvent::Stopped { .. }).then_some(())).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_retry_policy_outlives_crashes_of_the_handler() {
    let function = r#"{"bindings":[{"type":"eventHubTrigger","direction":"in","name":"events","eventHubName":"hub","cardinality":"many","dataType":"binary"}],
        "retry":{"strategy":"fixedDelay","maxRetryCount":-1,"delayInterval":"00:00:00.01"}}"#;
    let app = App::new(&example_host_json("")).function("exit1", function);
    let source = MemoryEventSource::new(1);
    source.push(0, "{}", 0, serde_json::Map::new(), serde_json::Map::new()).unwrap();
    let mut config = config(&app);
    config.event_source = Some(Arc::new(source));
    let host = FunctionsHost::start(config).await.unwrap();
    let mut events = host.events();
    let reason = tokio::time::timeout(DEADLINE, host.wait()).await.unwrap().unwrap_err().to_string();
    assert!(reason.contains("3 errors"), "{reason}");
    let mut calls = 0;
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, HostEvent::Checkpointed { .. }));
        calls += usize::from(matches!(event, HostEvent::InvocationStarted { .. }));
    }
    assert!(calls >= 3, "{calls}");
    assert!(!app.folder.path().join("data/checkpoints").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_0_is_not_noticed() {
    let app = app("");
    let host = start(config(&app)).await;
    let mut events = host.events();
    assert!(host.invoke_timer("exit0").await.is_err());
    until(&mut events, |event| {
        matches!(event, HostEvent::HandlerExited { code: Some(0), counted: false, .. }).then_some(())
    })
    .await;
    let error = host.invoke_timer("ok").await.unwrap_err().to_string();
    assert!(error.contains("calling the handler"), "{error}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_replaces_the_process_without_counting() {
    let app = app("");
    let mut config = config(&app);
    config.function_timeout = Some(Duration::from_millis(200));
    config.error_limit = 1;
    let host = start(config).await;
    let pid = host.handler_pid().unwrap();
    let error = host.invoke_timer("empty").await.unwrap_err().to_string();
    assert!(error.contains("timeout"), "{error}");
    host.invoke_timer("ok").await.unwrap();
    assert_ne!(host.handler_pid().unwrap(), pid);
    gone(pid).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_listens_or_dies_at_once_stops_the_host() {
    for (variable, expected) in [("NEVER_READY", "did not answer"), ("FAIL_AT_START", "cannot work today")] {
        let app = app(r#","initializationTimeout":"00:00:00.3""#);
        let mut config = config(&app);
        config.environment.push((variable.to_owned(), "1".to_owned()));
        let host = FunctionsHost::start(config).await.unwrap();
        let reason = tokio::time::timeout(DEADLINE, host.ready()).await.unwrap().unwrap_err().to_string();
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_handler_started_dies_with_it() {
    let app = app("");
    let mut config = config(&app);
    config.environment.push(("START_CHILD".to_owned(), "1".to_owned()));
    config.graceful_stop = Some(Duration::from_secs(1));
    let host = FunctionsHost::start(config).await.unwrap();
    let mut events = host.events();
    let child: u32 = until(&mut events, |event| match event {
        HostEvent::Log { line, .. } => line.strip_prefix("child ").and_then(|pid| pid.parse().ok()),
        _ => None,
    })
    .await;
    host.ready().await.unwrap();
    let pid = host.handler_pid().unwrap();
    drop(host);
    gone(pid).await;
    gone(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_missing_executable_are_named() {
    let app = app("");
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut taken = config(&app);
    taken.bind = twinwright_local_functions_host::Bind::Address(held.local_addr().unwrap());
    let error = FunctionsHost::start(taken).await.unwrap_err().to_string();
    assert!(error.contains(&held.local_addr().unwrap().to_string()), "{error}");
    let missing = App::new(r#""customHandler":{"description":{"defaultExecutablePath":"bin/none"}}"#)
        .function("f", r#"{"bindings":[{"type":"httpTrigger","name":"req"}]}"#);
    let error = FunctionsHost::start(config(&missing)).await.unwrap_err();
    assert!(matches!(error, HostError::Handler { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_asks_first() {
    let app = app("");
    let mut config = config(&app);
    config.graceful_stop = Some(Duration::from_secs(600));
    let host = start(config).await;
    let pid = host.handler_pid().unwrap();
    // Only a handler that ended by SIGTERM lets this return before the grace is over.
    tokio::time::timeout(DEADLINE, host.stop()).await.unwrap();
    gone(pid).await;
}

/// Not a test of its own: the host that [`killing_the_host_kills_the_handler`] kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child of another test"]
async fn host_to_be_killed() {
    let Some(folder) = std::env::var_os("HOST_TO_BE_KILLED") else { return };
    let folder = Path::new(&folder);
    let mut config = HostConfig::new(folder.join("app"), folder.join("data"));
    config.bind = twinwright_local_functions_host::Bind::Address("127.0.0.1:0".parse().unwrap());
    let host = start(config).await;
    println!("\nhandler-pid {}", host.handler_pid().unwrap());
    host.wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_host_kills_the_handler() {
    let app = app("");
    let mut host = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::host_to_be_killed", "--ignored", "--nocapture"])
        .env("HOST_TO_BE_KILLED", app.folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let search = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the host says the handler's process id");
            if let Some(pid) = line.strip_prefix("handler-pid ") {
                return pid.parse::<u32>().unwrap();
            }
        }
    };
    let pid = tokio::time::timeout(DEADLINE, search).await.unwrap();
    assert!(runs(pid));
    host.kill().await.unwrap();
    gone(pid).await;
}
