//! Time-outs, extra certificate authorities and bounds on answers: what all clients share below their contracts.

use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Certificate, Client, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use url::Url;

use crate::{
    Error, ServiceError,
    encode::{is_loopback, shorten},
    error::chain,
    identity::TokenSource,
    retry::{self, Failure, RetryPolicy, Safety, Tried},
};

/// How a client connects.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Bound on making a connection, TLS included.
    pub connect_timeout: Duration,
    /// Bound on one attempt, from its start to the answer's last byte.
    pub timeout: Duration,
    /// PEM file with certificate authorities to trust beside the system's, such as the local platform's.
    pub extra_ca: Option<PathBuf>,
    /// Largest answer that is read, in bytes.
    pub largest_answer: usize,
    /// The retry policy.
    pub retry: RetryPolicy,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            extra_ca: None,
            // A query page may hold 1,000 twins of 32 KB.
            largest_answer: 64 * 1024 * 1024,
            retry: RetryPolicy::default(),
        }
    }
}

/// Code and message of a failed answer, as the service writes them.
pub(crate) type Explain = fn(&Answer) -> (String, String);

/// One service: its connection pool, its identity, its way of writing errors.
pub(crate) struct Transport {
    client: Client,
    identity: Option<(TokenSource, String)>,
    options: HttpOptions,
    explain: Explain,
    /// Cut a long answer off instead of failing: for receivers whose answers nobody reads.
    cut_long_answers: bool,
}

pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: &'static str,
    pub(crate) timeout: Option<Duration>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) tried: Tried,
}

impl Call {
    pub(crate) fn new(what: impl Into<String>, method: Method, url: Url) -> Self {
        let what = what.into();
        Self {
            what,
            method,
            url,
            headers: Vec::new(),
            body: None,
            content_type: "application/json",
            timeout: None,
        }
    }

    pub(crate) fn json(mut self, body: &impl serde::Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::input(&self.what, error.to_string()))?;
        self.body = Some(bytes.into());
        Ok(self)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Error::input(&self.what, format!("the {name} header cannot carry this value")))?;
        self.headers.push((HeaderName::from_static(name), value));
        Ok(self)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(value, SystemTime::now())
    }

    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::answer(what, format!("not the JSON expected: {error}")))
    }
}

impl Transport {
    pub(crate) fn new(
        endpoint: &Url,
        identity: Option<(TokenSource, String)>,
        options: &HttpOptions,
        explain: Explain,
    ) -> Result<Self, Error> {
        let client = build(endpoint, options)?;
        Ok(Self { client, identity, options: options.clone(), explain, cut_long_answers: false })
    }

    pub(crate) fn cut_long_answers(mut self) -> Self {
        self.cut_long_answers = true;
        self
    }

    pub(crate) fn explain(&self, answer: &Answer) -> (String, String) {
        (self.explain)(answer)
    }

    /// Tries as the policy says. Failures of the service (408, 429, 5xx) are errors unless `accepted` names the status;
    /// every other status is the caller's to judge.
    pub(crate) async fn send(&self, call: &Call, safety: Safety, accepted: &[u16]) -> Result<Answer, Error> {
        let start = Instant::now();
        let mut policy = self.options.retry;
        if let Some(timeout) = call.timeout {
            // A call that may take longer than the policy's deadline gets its one attempt whole.
            policy.deadline = policy.deadline.max(timeout + self.options.connect_timeout);
        }
        retry::run(&policy, safety, &call.what, |attempts| async move {
            let mut answer = self.once(call).await?;
            answer.tried = Tried { attempts, elapsed: start.elapsed() };
            let status = answer.status.as_u16();
            if matches!(status, 408 | 429 | 500..) && !accepted.contains(&status) {
                return Err(Failure::Refused(Box::new(self.refusal(&call.what, &answer))));
            }
            Ok(answer)
        })
        .await
    }

    /// Like [`Transport::send`], and every status but 2xx is an error.
    pub(crate) async fn succeed(&self, call: &Call, safety: Safety) -> Result<Answer, Error> {
        let answer = self.send(call, safety, &[]).await?;
        self.check(&call.what, answer)
    }

    pub(crate) fn check(&self, what: &str, answer: Answer) -> Result<Answer, Error> {
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Box::new(self.refusal(what, &answer)).into())
        }
    }

    pub(crate) fn refusal(&self, what: &str, answer: &Answer) -> ServiceError {
        let (code, message) = (self.explain)(answer);
        ServiceError {
            what: what.to_owned(),
            status: answer.status.as_u16(),
            code: shorten(&code, 100),
            message: shorten(&message, 1000),
            retry_after: answer.retry_after(),
            tried: answer.tried,
        }
    }

    /// One attempt; a token that the service refuses is renewed once.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Failure> {
        let Some((tokens, scope)) = &self.identity else { return self.exchange(call, None).await };
        let token = tokens.authorization(scope).await.map_err(Failure::Final)?;
        let answer = self.exchange(call, Some(&token)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match tokens.renewed(scope, &token).await {
            Ok(Some(other)) => self.exchange(call, Some(&other)).await,
            Ok(None) => Ok(answer),
            Err(error) => Err(Failure::Final(error)),
        }
    }

    async fn exchange(&self, call: &Call, token: Option<&HeaderValue>) -> Result<Answer, Failure> {
        let mut request = self.client.request(call.method.clone(), call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, call.content_type).body(body.clone());
        }
        if let Some(timeout) = call.timeout {
            request = request.timeout(timeout);
        }
        let mut response = request.send().await.map_err(lost)?;
        let largest = self.options.largest_answer;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > largest {
                if self.cut_long_answers {
                    break;
                }
                let problem = format!("it is larger than {largest} bytes; ask for less at a time");
                return Err(Failure::Final(Error::answer(&call.what, problem)));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        let tried = Tried { attempts: 1, elapsed: Duration::ZERO };
        Ok(Answer { status: response.status(), headers, body: body.freeze(), tried })
    }
}

fn lost(error: reqwest::Error) -> Failure {
    // Addresses may carry signatures.
    let error = error.without_url();
    let cause = if error.is_timeout() { format!("timed out: {}", chain(&error)) } else { chain(&error) };
    if error.is_connect() { Failure::NotSent(cause) } else { Failure::Lost(cause) }
}

/// Makes `ring` the process's TLS provider if the program chose none.
pub(crate) fn ensure_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race to another thread is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
    }
}

/// The extra authorities of the options, as PEM text.
pub(crate) fn read_extra_ca(options: &HttpOptions) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = &options.extra_ca else { return Ok(None) };
    let fault = |problem: String| Error::File { path: path.clone(), problem };
    let size = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?.len();
    if size > 4 * 1024 * 1024 {
        return Err(fault("it is too large for certificate authorities (4 MiB at most)".into()));
    }
    let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(Some(pem)),
        Ok(_) => {
            Err(fault("it holds no certificate; name a PEM file with -----BEGIN CERTIFICATE-----".into()))
        }
        Err(error) => Err(fault(format!("not a PEM file of certificates: {}", chain(&error)))),
    }
}

fn build(endpoint: &Url, options: &HttpOptions) -> Result<Client, Error> {
    ensure_tls();
    let mut builder = Client::builder()
        .user_agent(concat!("twinwright/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(Policy::none())
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(32)
        .tcp_keepalive(Duration::from_secs(30));
    if is_loopback(endpoint) {
        builder = builder.no_proxy();
    }
    if let Some(pem) = read_extra_ca(options)? {
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|error| Error::settings("the extra certificate authorities", chain(&error)))?;
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| Error::settings("the TLS set-up", chain(&error)))
}
