//! A server that answers as told and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
    serve::ListenerExt as _,
};
use serde_json::Value;
use twinwright_azure::{http::HttpOptions, identity::TokenSource, retry::RetryPolicy};

pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query as they came.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
}

#[allow(clippy::needless_pass_by_value, reason = "calls read better without a borrow")]
pub(crate) fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, body: body.to_string(), ..Reply::default() }
}

impl Reply {
    #[allow(clippy::needless_pass_by_value, reason = "calls read better without a borrow")]
    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

#[derive(Default)]
struct Book {
    replies: Mutex<VecDeque<Reply>>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
}

pub(crate) struct Server {
    pub(crate) url: String,
    book: Arc<Book>,
}

impl Server {
    /// Answers with `replies` one after another, then with 599.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let book = Arc::new(Book { replies: Mutex::new(replies.into()), ..Book::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&book));
        let counted = Arc::clone(&book);
        let listener = listener.tap_io(move |_| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, book }
    }

    /// What was asked so far, and forgets it.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.book.asked.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        self.book.connections.load(Ordering::SeqCst)
    }
}

async fn answer(
    State(book): State<Arc<Book>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    book.asked.lock().unwrap().push(Asked { method, target: uri.to_string(), headers, body });
    let reply = book.replies.lock().unwrap().pop_front();
    let reply = reply.unwrap_or_else(|| Reply { status: 599, ..Reply::default() });
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// Options that do not make a test wait.
pub(crate) fn options() -> HttpOptions {
    let first_wait = Duration::from_millis(1);
    HttpOptions {
        retry: RetryPolicy { first_wait, attempts: 3, ..RetryPolicy::default() },
        ..HttpOptions::default()
    }
}

/// A token file, and a source that reads it.
pub(crate) fn token(text: &str) -> (tempfile::NamedTempFile, TokenSource) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let source = TokenSource::static_file(file.path());
    (file, source)
}
