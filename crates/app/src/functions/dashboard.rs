//! The dashboard: one self-contained page, put together once, with a policy that lets nothing else run.

use std::sync::OnceLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("../../../../dashboard/index.html");
const PARTS: [(&str, &str, &str); 4] = [
    ("<!-- inline:uplot.css -->", "style", include_str!("../../../../dashboard/vendor/uPlot.min.css")),
    ("<!-- inline:style.css -->", "style", include_str!("../../../../dashboard/style.css")),
    ("<!-- inline:uplot.js -->", "script", include_str!("../../../../dashboard/vendor/uPlot.iife.min.js")),
    ("<!-- inline:app.js -->", "script", include_str!("../../../../dashboard/app.js")),
];

struct Page {
    html: String,
    policy: String,
}

fn page() -> &'static Page {
    static ONCE: OnceLock<Page> = OnceLock::new();
    ONCE.get_or_init(|| {
        let mut html = PAGE.to_owned();
        let (mut styles, mut scripts) = (String::new(), String::new());
        for (place, tag, content) in PARTS {
            let hash = format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(content)));
            if tag == "style" { &mut styles } else { &mut scripts }.push_str(&hash);
            html = html.replace(place, &format!("<{tag}>{content}</{tag}>"));
        }
        let policy = format!(
            "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src{scripts}; style-src{styles}; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Page { html, policy }
    })
}

/// The page, as the browser gets it.
pub(super) fn html() -> &'static str {
    &page().html
}

/// Serves the page.
pub(super) async fn dashboard() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, page().policy.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, html()).into_response()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_whole_and_asks_for_nothing_outside() {
        let html = super::html();
        assert!(!html.contains("<!-- inline:"), "a part was not put in");
        assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
    }
}
