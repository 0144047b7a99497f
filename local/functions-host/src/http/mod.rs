//! The HTTP endpoint: routes to HTTP functions, proxied or by the Data/Metadata protocol, and the admin paths.

mod admin;
mod plain;
mod proxy;

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode, header},
};
use tokio::sync::Semaphore;

use crate::{
    invoke::Invoker,
    settings::{FunctionDefinition, Route, RouteParameters, Trigger},
    triggers::{queue::QueueLoop, timer::Timer},
};

/// All that a request needs.
pub(crate) struct HttpState {
    pub(crate) invoker: Invoker,
    /// In the order in which their routes are tried.
    pub(crate) routes: Vec<HttpFunction>,
    pub(crate) prefix: String,
    pub(crate) proxying: bool,
    pub(crate) forwarding: bool,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) timers: Arc<HashMap<String, Arc<Timer>>>,
    pub(crate) queues: HashMap<String, QueueLoop>,
    pub(crate) names: Vec<(String, &'static str)>,
}

/// An HTTP function and how it is reached.
pub(crate) struct HttpFunction {
    pub(crate) function: Arc<FunctionDefinition>,
    pub(crate) route: Route,
    pub(crate) methods: Vec<String>,
}

impl HttpFunction {
    pub(crate) fn all(functions: &[Arc<FunctionDefinition>]) -> Vec<Self> {
        let mut routes: Vec<Self> = functions
            .iter()
            .filter_map(|function| match &function.trigger {
                Trigger::Http { route, methods } => Some(Self {
                    function: Arc::clone(function),
                    route: route.clone(),
                    methods: methods.clone(),
                }),
                _ => None,
            })
            .collect();
        routes.sort_by(|left, right| left.route.precedence(&right.route));
        routes
    }
}

impl HttpState {
    fn find(&self, method: &str, path: &str) -> Option<(&HttpFunction, RouteParameters)> {
        let path = path.trim_start_matches('/');
        let below = if self.prefix.is_empty() {
            path
        } else {
            let head = path.get(..self.prefix.len())?;
            let rest = &path[self.prefix.len()..];
            if !head.eq_ignore_ascii_case(&self.prefix) || !(rest.is_empty() || rest.starts_with('/')) {
                return None;
            }
            rest
        };
        self.routes
            .iter()
            .filter(|route| route.methods.is_empty() || route.methods.iter().any(|allowed| allowed == method))
            .find_map(|route| route.route.matches(below).map(|parameters| (route, parameters)))
    }
}

/// Answers one request.
pub(crate) async fn serve(State(state): State<Arc<HttpState>>, request: Request) -> Response<Body> {
    let path = request.uri().path();
    if path == "/admin" || path.starts_with("/admin/") {
        return admin::serve(&state, request).await;
    }
    let Some((route, parameters)) = state.find(request.method().as_str(), path) else {
        return answer(StatusCode::NOT_FOUND, "");
    };
    let Ok(permit) = Arc::clone(&state.permits).try_acquire_owned() else {
        return answer(StatusCode::TOO_MANY_REQUESTS, "the host runs as many requests as it may");
    };
    let function = Arc::clone(&route.function);
    let whole = (state.proxying || state.forwarding) && function.is_http_in_and_out();
    if whole {
        // The permit goes with the body of the answer: a stream that is still open still counts.
        proxy::serve(&state, &function, request, permit).await
    } else {
        let served = plain::serve(&state, &function, &parameters, request).await;
        drop(permit);
        served
    }
}

fn answer(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    if !text.is_empty() {
        let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
