//! What a busy service asks for is done: a 429 or 503 with `Retry-After` is handed on to the client's own retries only when
//! that time is over. The client by itself would ask again after some tenths of a second, and be refused the longer.

use std::time::Duration;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// No longer than this: the host's function would be ended meanwhile, and the batch comes again anyway.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct PatientConnector;

impl HttpConnector for PatientConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Patient(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Patient(HttpClient);

#[async_trait]
impl HttpService for Patient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.execute(request).await?;
        if matches!(answer.status().as_u16(), 429 | 503) {
            let header = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
            // Azure writes seconds, never a date.
            if let Some(seconds) = header.and_then(|text| text.trim().parse::<u64>().ok()) {
                tokio::time::sleep(Duration::from_secs(seconds).min(LONGEST)).await;
            }
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use bytes::Bytes;

    use crate::StoreError;
    use crate::store::{AzureConfig, AzureCredentialKind, Created, Store};

    /// Requests and when they came.
    type Seen = Arc<Mutex<Vec<(String, Instant)>>>;

    /// Answers each request with the next line and headers; an empty one means that the connection is cut instead.
    fn server(answers: &'static [&'static str]) -> (String, Seen) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, answer, &log);
            }
        });
        (format!("http://{address}/local"), seen)
    }

    fn serve(mut stream: TcpStream, answer: &str, log: &Mutex<Vec<(String, Instant)>>) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        let mut conditional = false;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            conditional |= line == "if-none-match: *";
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let method = first.split(' ').next().unwrap_or_default();
        let what = if conditional { format!("{method} if-none-match") } else { method.to_owned() };
        log.lock().unwrap().push((what, Instant::now()));
        if !answer.is_empty() {
            let text = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).unwrap();
        }
    }

    fn store(endpoint: String) -> Store {
        rustls::crypto::ring::default_provider().install_default().ok();
        Store::azure(AzureConfig {
            account: "local".into(),
            container: "history".into(),
            endpoint: Some(endpoint),
            credential: AzureCredentialKind::EmulatorKey("c2VjcmV0a2V5".into()),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_busy_service_is_given_the_time_it_asks_for() {
        let (endpoint, seen) = server(&[
            "503 Server Busy\r\nretry-after: 1",
            "429 Too Many Requests\r\nretry-after: 1",
            "201 Created\r\netag: \"1\"\r\nlast-modified: Wed, 04 Mar 2026 10:59:50 GMT",
        ]);
        let created = store(endpoint).create("a/one.json", Bytes::from_static(b"1")).await.unwrap();
        assert_eq!(created, Created::New);
        let seen = seen.lock().unwrap();
        assert!(seen.iter().all(|(what, _)| what == "PUT if-none-match") && seen.len() == 3, "{seen:?}");
        assert!(seen[1].1 - seen[0].1 >= super::Duration::from_secs(1));
        assert!(seen[2].1 - seen[1].1 >= super::Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_put_whose_answer_is_lost_is_found_stored_when_it_is_made_again() {
        let (endpoint, seen) = server(&["", "409 Conflict\r\nx-ms-error-code: BlobAlreadyExists"]);
        let store = store(endpoint);
        let lost = store.create("a/one.json", Bytes::from_static(b"1")).await;
        // Whether the client asks again by itself or leaves it to the caller, the end is the same.
        let created = match lost {
            Ok(created) => created,
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
                store.create("a/one.json", Bytes::from_static(b"1")).await.unwrap()
            }
        };
        assert_eq!((created, seen.lock().unwrap().len()), (Created::AlreadyThere, 2));
    }
}
