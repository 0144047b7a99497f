//! A small custom handler to try the host with: answers every invocation, and misbehaves on request.
//!
//! Functions named `exit0`, `exit1` and `exit200` end the process with that code before they answer, `empty` answers an
//! empty 200, `fail` answers 500, everything else answers `{}` with a line in `Logs`. `NEVER_READY=1` makes it hang before it listens,
//! `FAIL_AT_START=1` makes it end with code 3, `START_CHILD=1` starts a child that outlives it unless its group is killed.

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::json;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if std::env::var_os("FAIL_AT_START").is_some() {
        eprintln!("cannot work today");
        std::process::exit(3);
    }
    if std::env::var_os("NEVER_READY").is_some() {
        std::future::pending::<()>().await;
    }
    if std::env::var_os("START_CHILD").is_some() {
        let child = tokio::process::Command::new("sleep").arg("600").spawn()?;
        println!("child {}", child.id().unwrap_or_default());
    }
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(0_u16);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening with arguments {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    let environment = |name: &str| std::env::var(name).unwrap_or_default();
    println!(
        "environment {} {} {} {}",
        environment("FUNCTIONS_HTTPWORKER_PORT") == port.to_string(),
        environment("FUNCTIONS_CUSTOMHANDLER_WORKER_ID") == environment("FUNCTIONS_HTTPWORKER_ID"),
        !environment("FUNCTIONS_APP_ROOT_PATH").is_empty(),
        environment("APP_SETTING"),
    );
    axum::serve(listener, Router::new().route("/{function}", any(invoke))).await
}

async fn invoke(Path(function): Path<String>) -> Response {
    match function.as_str() {
        "exit0" => std::process::exit(0),
        "exit1" => {
            eprintln!("last words");
            std::process::exit(1)
        }
        "exit200" => std::process::exit(200),
        "empty" => StatusCode::OK.into_response(),
        "fail" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => Json(json!({"Logs": [format!("{function} ran")]})).into_response(),
    }
}
