use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use azure_core::{
    credentials::{AccessToken, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};

use super::*;

/// Gives `token-1`, `token-2`, …, each good for `seconds`; fails from call `fails_from` on.
#[derive(Debug)]
struct Counting {
    calls: AtomicUsize,
    seconds: u64,
    fails_from: usize,
}

#[async_trait::async_trait]
impl TokenCredential for Counting {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::task::yield_now().await;
        if call >= self.fails_from {
            return Err(azure_core::Error::with_message(ErrorKind::Credential, "run az login"));
        }
        let ends = SystemTime::now() + Duration::from_secs(self.seconds);
        Ok(AccessToken::new(format!("{}-{call}", scopes[0]), OffsetDateTime::from(ends)))
    }
}

fn counting(seconds: u64, fails_from: usize) -> (Arc<Counting>, TokenSource) {
    let credential = Arc::new(Counting { calls: AtomicUsize::new(0), seconds, fails_from });
    (Arc::clone(&credential), TokenSource::from_credential(credential))
}

fn private(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("write");
    file
}

#[tokio::test]
async fn one_request_serves_all_callers_of_a_scope() {
    let (credential, source) = counting(3600, usize::MAX);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.authorization("a").await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("joins").expect("token"), "Bearer a-1");
    }
    assert_eq!(source.authorization("b").await.expect("token"), "Bearer b-2");
    assert_eq!(credential.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_the_old_one_serves_when_that_fails() {
    let (credential, source) = counting(3600, 3);
    assert_eq!(source.authorization("a").await.expect("token"), "Bearer a-1");
    let soon = SystemTime::now() + Duration::from_secs(3300 + 5);
    assert!(source.cached("a", soon).is_none(), "less than five minutes are left");
    assert!(source.cached("a", soon - Duration::from_secs(60)).is_some());
    assert_eq!(source.renew("a").await.expect("token"), "Bearer a-2");
    assert_eq!(source.renew("a").await.expect("the old one"), "Bearer a-2");
    assert_eq!(credential.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_failure_says_what_to_do_and_is_not_repeated_at_once() {
    let (credential, source) = counting(3600, 1);
    for _ in 0..5 {
        let error = source.authorization("a").await.expect_err("fails").to_string();
        assert!(error.starts_with("no token for a: ") && error.contains("run az login"), "{error}");
    }
    assert_eq!(credential.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_token_file_is_read_again() {
    let file = private("first\n");
    let source = TokenSource::static_file(file.path());
    let first = source.authorization("a").await.expect("token");
    assert_eq!(first, "Bearer first");
    assert!(first.is_sensitive());
    assert_eq!(
        source.renewed("a", &first).await.expect("reads"),
        None,
        "the same token is not worth another try"
    );
    fs::write(file.path(), "second").expect("write");
    let second = source.renewed("a", &first).await.expect("reads").expect("another token");
    assert_eq!(second, "Bearer second");
    assert_eq!(source.authorization("a").await.expect("token"), second);
}

#[cfg(unix)]
#[tokio::test]
async fn a_token_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = private("first");
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).expect("mode");
    let error = TokenSource::static_file(file.path()).authorization("a").await.expect_err("open").to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn signatures_come_from_the_connection_string_file() {
    let file = private("HostName=localhost:8443;SharedAccessKeyName=service;SharedAccessKey=a2V5a2V5");
    let source = TokenSource::sas_file(file.path());
    let header = source.authorization("any").await.expect("token");
    let text = header.to_str().expect("text");
    assert!(text.starts_with("SharedAccessSignature sr=localhost%3A8443&sig="), "{text}");
    assert!(text.ends_with("&skn=service"), "{text}");
}

#[tokio::test]
async fn nothing_secret_shows() {
    let file = private("hush-hush");
    let source = TokenSource::static_file(file.path());
    let header = source.authorization("a").await.expect("token");
    let (_, entra) = counting(3600, usize::MAX);
    entra.authorization("scope").await.expect("token");
    let shown = format!("{source:?} {source:#?} {header:?} {entra:?}");
    assert!(!shown.contains("hush") && !shown.contains("scope-1"), "{shown}");
}
