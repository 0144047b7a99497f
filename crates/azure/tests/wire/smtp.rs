//! A mail server of a few lines, plain, with STARTTLS, and with TLS from the start.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use twinwright_azure::{
    Error,
    notify::{Email, EmailSecurity, EmailSettings},
    secret::Secret,
};

use crate::{server::options, tls::acceptor};

type Mails = Arc<Mutex<Vec<String>>>;

/// Speaks until QUIT or STARTTLS (then `true`). The first `refusals` senders are told to come back.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    offer_tls: bool,
    mails: &Mails,
    refusals: &Mutex<u32>,
) -> bool {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        mails.lock().unwrap().push(line.trim_end().to_owned());
        let verb = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if offer_tls => "250-localhost\r\n250 STARTTLS\r\n",
            "EHLO" => "250-localhost\r\n250 AUTH PLAIN LOGIN\r\n",
            "STARTTLS" => "220 go ahead\r\n",
            "MAIL" => {
                let mut refusals = refusals.lock().unwrap();
                if *refusals == 0 {
                    "250 ok\r\n"
                } else {
                    *refusals -= 1;
                    "451 come back later\r\n"
                }
            }
            "RCPT" if line.contains("nobody@") => "550 no such receiver\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 speak\r\n",
            "." => "250 taken\r\n",
            "QUIT" => "221 bye\r\n",
            "RCPT" | "RSET" | "NOOP" => "250 ok\r\n",
            // A line of the message.
            _ => continue,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || verb == "QUIT" {
            return false;
        }
        if verb == "STARTTLS" {
            return true;
        }
    }
}

async fn server(security: EmailSecurity, acceptor: Option<TlsAcceptor>, refusals: u32) -> (u16, Mails) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Mails::default();
    let kept = Arc::clone(&mails);
    tokio::spawn(async move {
        let refusals = Mutex::new(refusals);
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match (security, &acceptor) {
                (EmailSecurity::Tls, Some(acceptor)) => {
                    let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                    stream.write_all(b"220 localhost\r\n").await.ok();
                    speak(&mut stream, false, &mails, &refusals).await;
                }
                (_, acceptor) => {
                    stream.write_all(b"220 localhost\r\n").await.ok();
                    if speak(&mut stream, acceptor.is_some(), &mails, &refusals).await
                        && let Some(acceptor) = acceptor
                        && let Ok(mut stream) = acceptor.accept(stream).await
                    {
                        speak(&mut stream, false, &mails, &refusals).await;
                    }
                }
            }
        }
    });
    (port, kept)
}

fn settings(port: u16, security: EmailSecurity) -> EmailSettings {
    EmailSettings {
        host: "localhost".into(),
        port,
        security,
        login: None,
        from: "Twinwright <alerts@plant.example>".into(),
        to: vec!["crew@plant.example".into()],
        timeout: Duration::from_secs(10),
        extra_ca: None,
        retry: options().retry,
    }
}

#[tokio::test]
async fn mail_goes_out_after_a_refusal_that_passes() {
    let (port, mails) = server(EmailSecurity::Plain, None, 1).await;
    let email = Email::new(&settings(port, EmailSecurity::Plain)).unwrap();
    email.send("alert-1", "pump-1\r\nBcc: eve@evil.example", "temperature is high").await.unwrap();
    let lines = mails.lock().unwrap().join("\n");
    assert_eq!(lines.matches("MAIL FROM:<alerts@plant.example>").count(), 2, "{lines}");
    assert!(
        lines.contains("RCPT TO:<crew@plant.example>") && lines.contains("temperature is high"),
        "{lines}"
    );
    assert!(lines.contains("Message-ID: <alert-1@plant.example>"), "{lines}");
    assert!(!lines.contains("\nBcc:"), "{lines}");
}

#[tokio::test]
async fn a_lasting_refusal_is_not_tried_again() {
    let (port, mails) = server(EmailSecurity::Plain, None, 0).await;
    let mut settings = settings(port, EmailSecurity::Plain);
    settings.to = vec!["nobody@plant.example".into()];
    let error = Email::new(&settings).unwrap().send("a", "s", "t").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("SMTP 550") && text.contains("no such receiver") && !error.is_temporary(),
        "{text}"
    );
    assert_eq!(mails.lock().unwrap().join("\n").matches("MAIL FROM").count(), 1);
}

#[tokio::test]
async fn both_kinds_of_tls_protect_the_password() {
    for security in [EmailSecurity::StartTls, EmailSecurity::Tls] {
        let (acceptor, authority) = acceptor();
        let (port, mails) = server(security, Some(acceptor), 0).await;
        let mut settings = settings(port, security);
        settings.extra_ca = Some(authority.path().to_owned());
        settings.login = Some(("crew".into(), Secret::new("hush-hush")));
        let email = Email::new(&settings).unwrap();
        email.send("a", "s", "t").await.unwrap();
        let lines = mails.lock().unwrap().join("\n");
        assert!(lines.contains("AUTH PLAIN"), "{security:?}: {lines}");
        if security == EmailSecurity::StartTls {
            assert!(lines.find("STARTTLS") < lines.find("AUTH PLAIN"), "{lines}");
        }
        let shown = format!("{email:?} {settings:?}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[tokio::test]
async fn nothing_is_sent_when_tls_is_wanted_and_not_offered() {
    let (port, mails) = server(EmailSecurity::Plain, None, 0).await;
    let email = Email::new(&settings(port, EmailSecurity::StartTls));
    // Without any authority on the machine the settings are refused already.
    if let Ok(email) = email {
        assert!(email.send("a", "s", "t").await.is_err());
    }
    assert!(!mails.lock().unwrap().join("\n").contains("MAIL FROM"));
}

#[test]
fn settings_are_checked() {
    let good = settings(25, EmailSecurity::Plain);
    let refuse = |settings: EmailSettings| Email::new(&settings).map(|_| ()).unwrap_err();
    let error = refuse(EmailSettings { host: "mail.example".into(), ..good.clone() });
    assert!(
        matches!(error, Error::Settings { .. }) && error.to_string().contains("this machine only"),
        "{error}"
    );
    assert!(refuse(EmailSettings { to: vec![], ..good.clone() }).to_string().contains("1 to 50"));
    assert!(refuse(EmailSettings { from: "nonsense".into(), ..good }).to_string().contains("nonsense"));
}
