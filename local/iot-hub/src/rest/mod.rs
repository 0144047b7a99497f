//! The service side over HTTPS: registry, twins, direct methods, statistics, and a stream of events.
//!
//! Paths and documents follow the service's REST API, version 2021-04-12.

mod access;
mod devices;
mod errors;
mod methods;
mod monitor;
mod query;
mod twins;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use crate::hub::Context;
use errors::ServiceError;

/// Larger than any document the API takes.
const MAX_BODY: usize = 512 << 10;

/// All routes, behind the check of the token.
pub(crate) fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route("/devices", get(devices::list))
        .route("/devices/query", post(query::query))
        .route("/devices/{id}", get(devices::read).put(devices::put).delete(devices::delete))
        .route("/twins/{id}", get(twins::read).patch(twins::patch).put(twins::replace))
        .route("/twins/{id}/methods", post(methods::invoke))
        .route("/statistics/devices", get(devices::statistics))
        .route("/statistics/service", get(devices::service_statistics))
        .route("/twinwright/events", get(monitor::events))
        .fallback(|| async { ServiceError::no_route() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&context), access::check))
        .with_state(context)
}
