//! `/explorer`: a page that shows models, twins and relationships as a picture.
//!
//! The page is part of the program and needs no network but this service. It holds no secret, so it is served without
//! a token; what it shows comes through the API, for which it asks the user for one. Its Content-Security-Policy
//! allows nothing but its own files, so that no text of a twin can become a script.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// A file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

macro_rules! file {
    ($path:literal, $name:literal, $kind:literal) => {
        File { path: $path, kind: $kind, content: include_bytes!($name) }
    };
}

const FILES: [File; 9] = [
    file!("/explorer/", "page/index.html", "text/html; charset=utf-8"),
    file!("/explorer/style.css", "page/style.css", "text/css; charset=utf-8"),
    file!("/explorer/app.js", "page/app.js", "text/javascript; charset=utf-8"),
    file!("/explorer/api.js", "page/api.js", "text/javascript; charset=utf-8"),
    file!("/explorer/graph.js", "page/graph.js", "text/javascript; charset=utf-8"),
    file!("/explorer/details.js", "page/details.js", "text/javascript; charset=utf-8"),
    file!("/explorer/layout.js", "page/layout.js", "text/javascript; charset=utf-8"),
    file!(
        "/explorer/vendor/cytoscape.esm.min.mjs",
        "page/vendor/cytoscape.esm.min.mjs",
        "text/javascript; charset=utf-8"
    ),
    file!("/explorer/vendor/LICENSE-cytoscape", "page/vendor/LICENSE-cytoscape", "text/plain; charset=utf-8"),
];

/// The graph library sets the size of its canvas in style attributes made by script, which a policy for styles does not
/// stop; so nothing inline needs to be allowed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Routes of the page.
pub(crate) fn router() -> Router {
    let redirect = || async { (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "/explorer/")]) };
    let routes = Router::new().route("/explorer", get(redirect));
    FILES
        .iter()
        .fold(routes, |routes, file| routes.route(file.path, get(move || async move { answer(file) })))
}

fn answer(file: &'static File) -> Response {
    let mut response = file.content.into_response();
    let headers = response.headers_mut();
    let mut add =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    add(CONTENT_TYPE, file.kind);
    add(CONTENT_SECURITY_POLICY, POLICY);
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(X_FRAME_OPTIONS, "DENY");
    add(REFERRER_POLICY, "no-referrer");
    // A new version of the program brings a new page under the same address.
    add(CACHE_CONTROL, "no-cache");
    response
}
