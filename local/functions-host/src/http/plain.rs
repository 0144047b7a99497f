//! An HTTP function by the Data/Metadata protocol.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};

use super::{HttpState, answer};
use crate::{
    encode::http::{HttpRequest, invocation},
    events::LogLevel,
    invoke::{Failure, MAX_BODY},
    reply::{HttpAnswer, http_answer},
    settings::{FunctionDefinition, RouteParameters},
};

pub(super) async fn serve(
    state: &HttpState,
    function: &FunctionDefinition,
    parameters: &RouteParameters,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 100 MiB or broke off");
    };
    let request = HttpRequest {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        parameters,
        body: &body,
    };
    let call = invocation(&function.name, &function.binding, &request);
    let reply = match state.invoker.invoke(function, &call, None).await {
        Ok(reply) => reply,
        Err(Failure::Failed(_)) => return answer(StatusCode::INTERNAL_SERVER_ERROR, ""),
        Err(Failure::Stopping) => return answer(StatusCode::SERVICE_UNAVAILABLE, "the host stops"),
    };
    match http_answer(function, &reply).and_then(response) {
        Ok(response) => response,
        Err(cause) => {
            state.invoker.events.log(LogLevel::Error, Some(&function.name), cause);
            answer(StatusCode::INTERNAL_SERVER_ERROR, "")
        }
    }
}

fn response(built: HttpAnswer) -> Result<Response<Body>, String> {
    let mut response = Response::new(Body::from(built.body));
    *response.status_mut() =
        StatusCode::from_u16(built.status).map_err(|_| format!("status {} is not valid", built.status))?;
    for (name, value) in built.headers {
        // The length and framing follow from the body, not from what the function says.
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding") {
            continue;
        }
        let name: HeaderName = name.parse().map_err(|_| format!("header name {name:?} is not valid"))?;
        let value =
            HeaderValue::try_from(value).map_err(|_| format!("the value of header {name} is not valid"))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
