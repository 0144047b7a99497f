use std::{fmt, path::PathBuf, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use url::Url;

use crate::{
    Error, ServiceError,
    encode::{is_loopback, shorten},
    error::chain,
    http::{HttpOptions, ensure_tls, read_extra_ca},
    retry::{self, Failure, RetryPolicy, Safety, Tried},
    secret::Secret,
};

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailSecurity {
    /// Plain at first, then TLS or nothing is sent (usually port 587).
    StartTls,
    /// TLS from the first byte (usually port 465).
    Tls,
    /// No protection: on this machine only.
    Plain,
}

/// Where mail goes, and as whom.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The mail server's name; its certificate must carry it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: EmailSecurity,
    /// User name and password, if the server wants them.
    pub login: Option<(String, Secret)>,
    /// Sender, such as `Twinwright <alerts@plant.example>`.
    pub from: String,
    /// Receivers, 1 to 50.
    pub to: Vec<String>,
    /// Bound on every step of the conversation with the server.
    pub timeout: Duration,
    /// PEM file with certificate authorities to trust beside the system's.
    pub extra_ca: Option<PathBuf>,
    /// The retry policy.
    pub retry: RetryPolicy,
}

/// Sends plain-text e-mail through one server.
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    server: String,
    timeout: Duration,
    retry: RetryPolicy,
}

impl Email {
    /// Checks the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Settings`] or [`Error::File`], naming what cannot be used.
    pub fn new(settings: &EmailSettings) -> Result<Self, Error> {
        let mailbox = |text: &String| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|error| {
                Error::settings("an e-mail address", format!("\"{}\": {error}", shorten(text, 200)))
            })
        };
        if !(1..=50).contains(&settings.to.len()) {
            return Err(Error::settings("the list of receivers", "name 1 to 50"));
        }
        let (from, to) =
            (mailbox(&settings.from)?, settings.to.iter().map(mailbox).collect::<Result<_, _>>()?);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .timeout(Some(settings.timeout))
            .tls(tls(settings)?);
        if let Some((user, password)) = &settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let server = format!("{}:{}", settings.host, settings.port);
        Ok(Self {
            transport: builder.build(),
            from,
            to,
            server,
            timeout: settings.timeout,
            retry: settings.retry,
        })
    }

    /// Sends a text to all receivers. `id` becomes the Message-ID, by which mail programs drop repeats.
    ///
    /// # Errors
    /// A refusal with the server's words, or what was tried without an answer.
    pub async fn send(&self, id: &str, subject: &str, text: &str) -> Result<(), Error> {
        let what = format!("send e-mail {} to {}", shorten(id, 100), self.server);
        let message = self.message(id, subject, text).map_err(|error| Error::input(&what, chain(&*error)))?;
        retry::run(&self.retry, Safety::Idempotent, &what, |_| async {
            // The transport bounds each step; this bounds a server that dribbles.
            let whole = self.timeout.saturating_mul(4);
            match tokio::time::timeout(whole, self.transport.send(message.clone())).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(failure(&what, &error)),
                Err(_) => {
                    Err(Failure::Lost(format!("the mail server took longer than {} s", whole.as_secs())))
                }
            }
        })
        .await
    }

    fn message(&self, id: &str, subject: &str, text: &str) -> Result<Message, Box<dyn std::error::Error>> {
        let id: String =
            id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(200).collect();
        let domain = Address::domain(&self.from.email);
        let mut builder = Message::builder()
            .from(self.from.clone())
            // A line break in a subject would begin another header.
            .subject(shorten(subject, 200))
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(ContentType::TEXT_PLAIN);
        for receiver in &self.to {
            builder = builder.to(receiver.clone());
        }
        Ok(builder.body(text.to_owned())?)
    }
}

fn tls(settings: &EmailSettings) -> Result<Tls, Error> {
    ensure_tls();
    if settings.security == EmailSecurity::Plain {
        let local = Url::parse(&format!("http://{}", settings.host)).is_ok_and(|url| is_loopback(&url));
        if !local {
            let problem = "plain text is for a server on this machine only; use STARTTLS or TLS";
            return Err(Error::settings("the mail server's protection", problem));
        }
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    let options = HttpOptions { extra_ca: settings.extra_ca.clone(), ..HttpOptions::default() };
    if let Some(pem) = read_extra_ca(&options)? {
        for authority in split(&pem) {
            let certificate = Certificate::from_pem(authority.as_bytes())
                .map_err(|error| Error::settings("the extra certificate authorities", chain(&error)))?;
            parameters = parameters.add_root_certificate(certificate);
        }
    }
    let parameters = parameters.build().map_err(|error| Error::settings("the TLS set-up", chain(&error)))?;
    Ok(match settings.security {
        EmailSecurity::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

/// The certificates of a PEM file, one text each.
fn split(pem: &[u8]) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    text.split_inclusive(END).filter(|part| part.contains(END)).map(str::to_owned).collect()
}

fn failure(what: &str, error: &lettre::transport::smtp::Error) -> Failure {
    let words = chain(error);
    let Some(status) = error.status().filter(|_| error.is_permanent() || error.is_transient()) else {
        return if error.is_client() {
            Failure::Final(Error::input(what, words))
        } else {
            Failure::Lost(words)
        };
    };
    let refusal = ServiceError {
        what: what.to_owned(),
        // The policy reads HTTP: a 4yz of SMTP may pass, a 5yz never does.
        status: if error.is_transient() { 503 } else { 400 },
        code: format!("SMTP {status}"),
        message: shorten(&words, 500),
        retry_after: None,
        tried: Tried::default(),
    };
    Failure::Refused(Box::new(refusal))
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Email").field("server", &self.server).finish_non_exhaustive()
    }
}
