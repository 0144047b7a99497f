//! The managed identity as App Service and Functions offer it. The Azure SDK reads the environment itself, so the test
//! runs this test program again as a child with the variables set.

use std::process::{Command, Output};

use serde_json::json;
use twinwright_azure::identity::{DIGITAL_TWINS_SCOPE, TokenSource};

use crate::server::{Server, reply};

const SWITCH: &str = "TWINWRIGHT_TEST_MANAGED_IDENTITY";

/// Does nothing unless the test below runs it.
#[tokio::test]
async fn child() {
    if std::env::var(SWITCH).is_err() {
        return;
    }
    let source = TokenSource::managed_or_developer().unwrap();
    for _ in 0..3 {
        let header = source.authorization(DIGITAL_TWINS_SCOPE).await.unwrap();
        assert_eq!(header, "Bearer managed-token");
        assert!(!format!("{source:?} {header:?}").contains("managed-token"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_managed_identity_is_asked_once() {
    let token = json!({ "access_token": "managed-token", "expires_on": "4102444800", "token_type": "Bearer",
        "resource": "https://digitaltwins.azure.net", "client_id": "00000000-0000-0000-0000-000000000001" });
    let server = Server::start(vec![reply(200, token).header("content-type", "application/json")]).await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "identity::child", "--nocapture"])
        .env(SWITCH, "1")
        .env("IDENTITY_ENDPOINT", format!("{}/msi/token", server.url))
        .env("IDENTITY_HEADER", "header-secret")
        .env("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000001")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && said.contains("1 passed"), "{said}");
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "the token is cached");
    assert_eq!(asked[0].header("x-identity-header"), "header-secret");
    let line = asked[0].line();
    assert!(line.starts_with("GET /msi/token?") && line.contains("api-version=2019-08-01"), "{line}");
    assert!(line.contains("resource=https%3A%2F%2Fdigitaltwins.azure.net"), "{line}");
    assert!(line.contains("client_id=00000000-0000-0000-0000-000000000001"), "{line}");
}
