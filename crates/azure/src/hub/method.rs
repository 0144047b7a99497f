use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{HubClient, MethodOutcome, wire::is_not_found};
use crate::{
    Error,
    encode::segment,
    http::{Answer, Call, Transport},
    retry::Safety,
};

#[derive(Deserialize)]
struct MethodAnswer {
    status: i64,
    #[serde(default)]
    payload: Value,
}

impl HubClient {
    /// Calls a direct method. The device has `connect_timeout` (0 to 300 s; 0 means it must be online already) to connect
    /// and `response_timeout` (5 to 300 s) to answer. Tried again only if the device certainly did not get it; the caller
    /// decides about the rest, because only it knows whether the method may run twice.
    pub async fn invoke_method(
        &self,
        device: &str,
        name: &str,
        payload: &Value,
        response_timeout: Duration,
        connect_timeout: Duration,
    ) -> MethodOutcome {
        let (response, connect) = (response_timeout.as_secs(), connect_timeout.as_secs());
        let what = format!("invoke {name} on device {device}");
        let call = match self.method_call(&what, device, name, payload, (response, connect)) {
            Ok(call) => call,
            Err(error) => return failed(0, error.to_string()),
        };
        match self.transport.send(&call, Safety::Once, &[504]).await {
            Ok(answer) => outcome(&self.transport, &what, &answer),
            Err(Error::Transport { may_have_acted: true, .. }) => MethodOutcome::TimedOut,
            Err(error) => failed(error.status().unwrap_or(0), error.to_string()),
        }
    }

    fn method_call(
        &self,
        what: &str,
        device: &str,
        name: &str,
        payload: &Value,
        (response, connect): (u64, u64),
    ) -> Result<Call, Error> {
        if !(5..=300).contains(&response) || connect > 300 {
            return Err(Error::input(
                what,
                "the hub takes a response time-out of 5 to 300 s and a connect time-out of 0 to 300 s",
            ));
        }
        let url = self.url(&["twins", &segment(what, device)?, "methods"], &[]);
        let mut call = Call::new(what, Method::POST, url).json(&json!({
            "methodName": name,
            "payload": payload,
            "responseTimeoutInSeconds": response,
            "connectTimeoutInSeconds": connect,
        }))?;
        // Our own bound lies beyond the hub's, so that the hub is the one to say what happened.
        call.timeout = Some(Duration::from_secs(response + connect + 10));
        Ok(call)
    }
}

fn outcome(transport: &Transport, what: &str, answer: &Answer) -> MethodOutcome {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return match answer.parse::<MethodAnswer>(what) {
            Ok(MethodAnswer { status, payload }) => MethodOutcome::Answered { status, payload },
            Err(error) => failed(status, error.to_string()),
        };
    }
    let (code, message) = transport.explain(answer);
    match (status, code.as_str()) {
        (404, "404103" | "DeviceNotOnline") | (_, "404104") => MethodOutcome::NotOnline,
        (504, _) => MethodOutcome::TimedOut,
        (404, code) if is_not_found(code) => MethodOutcome::NotFound,
        _ => {
            let refusal = transport.refusal(what, answer);
            MethodOutcome::Failed {
                status,
                code,
                message: if message.is_empty() { refusal.to_string() } else { refusal.message },
            }
        }
    }
}

fn failed(status: u16, message: String) -> MethodOutcome {
    MethodOutcome::Failed { status, code: String::new(), message }
}
