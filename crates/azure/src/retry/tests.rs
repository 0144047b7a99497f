use std::time::SystemTime;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn tried(attempts: u32) -> Tried {
    Tried { attempts, elapsed: SECOND * attempts }
}

fn refused(status: u16, retry_after: Option<u64>) -> Failure {
    Failure::Refused(Box::new(ServiceError {
        what: "test".into(),
        status,
        code: String::new(),
        message: String::new(),
        retry_after: retry_after.map(Duration::from_secs),
        tried: Tried::default(),
    }))
}

#[test]
fn back_off_doubles_up_to_its_bound() {
    let policy = RetryPolicy { attempts: 20, deadline: SECOND * 1000, ..RetryPolicy::default() };
    let wait =
        |attempts, jitter| policy.decide(Safety::Idempotent, tried(attempts), &refused(500, None), jitter);
    assert_eq!(wait(1, 1.0), Decision::Wait(Duration::from_millis(250)));
    assert_eq!(wait(3, 1.0), Decision::Wait(SECOND));
    assert_eq!(wait(3, 0.5), Decision::Wait(Duration::from_millis(500)));
    assert_eq!(wait(3, 0.0), Decision::Wait(Duration::ZERO));
    assert_eq!(wait(15, 1.0), Decision::Wait(SECOND * 10));
}

#[test]
fn attempts_and_time_are_bounded() {
    let policy = RetryPolicy::default();
    assert_eq!(policy.decide(Safety::Idempotent, tried(5), &refused(500, None), 0.5), Decision::Stop);
    let late = Tried { attempts: 1, elapsed: policy.deadline };
    assert_eq!(policy.decide(Safety::Idempotent, late, &refused(500, None), 0.0), Decision::Stop);
}

#[test]
fn a_wait_that_was_asked_for_is_obeyed_or_ends_it() {
    let policy = RetryPolicy::default();
    let Decision::Wait(wait) = policy.decide(Safety::Once, tried(1), &refused(429, Some(14)), 0.5) else {
        unreachable!("14 s fit into 90 s")
    };
    assert!(wait >= SECOND * 14 && wait < SECOND * 15, "{wait:?}");
    assert_eq!(policy.decide(Safety::Once, tried(1), &refused(429, Some(600)), 0.5), Decision::Stop);
}

#[test]
fn only_harmless_retries() {
    let policy = RetryPolicy::default();
    let again = |safety, failure: &Failure| {
        matches!(policy.decide(safety, tried(1), failure, 0.5), Decision::Wait(_))
    };
    for (failure, idempotent, once) in [
        (Failure::NotSent("refused".into()), true, true),
        (Failure::Lost("reset".into()), true, false),
        (refused(429, None), true, true),
        (refused(503, Some(1)), true, true),
        (refused(503, None), true, false),
        (refused(500, None), true, false),
        (refused(501, None), false, false),
        (refused(400, None), false, false),
        (refused(412, None), false, false),
        (Failure::Final(Error::input("test", "wrong")), false, false),
    ] {
        assert_eq!(again(Safety::Idempotent, &failure), idempotent, "{failure:?}");
        assert_eq!(again(Safety::Once, &failure), once, "{failure:?}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
    assert_eq!(retry_after("14", now), Some(SECOND * 14));
    assert_eq!(retry_after("99999999999999999999999", now), Some(SECOND * 86_400));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(SECOND * 60));
    assert_eq!(retry_after("Sunday, 06-Nov-94 08:50:37 GMT", now), Some(SECOND * 60));
    assert_eq!(retry_after("Sun Nov  6 08:50:37 1994", now), Some(SECOND * 60));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:40:37 GMT", now), Some(Duration::ZERO));
    assert_eq!(retry_after("-3", now), None);
    assert_eq!(retry_after("soon", now), None);
}

#[tokio::test]
async fn the_error_says_how_often_and_how_long() {
    let policy = RetryPolicy { attempts: 3, first_wait: Duration::from_millis(1), ..RetryPolicy::default() };
    let error = run(&policy, Safety::Idempotent, "get twin a", |_| async {
        Err::<(), _>(Failure::NotSent("connection refused".into()))
    })
    .await
    .expect_err("every attempt fails")
    .to_string();
    assert!(error.starts_with("get twin a: no answer after 3 attempts in "), "{error}");
    assert!(error.ends_with(": connection refused"), "{error}");
}

#[tokio::test]
async fn an_attempt_that_hangs_ends_at_the_deadline() {
    let start = tokio::time::Instant::now();
    let policy = RetryPolicy { deadline: Duration::from_millis(100), ..RetryPolicy::default() };
    let error = run(&policy, Safety::Idempotent, "hang", |_| std::future::pending::<Result<(), _>>()).await;
    assert!(matches!(error, Err(Error::Transport { .. })), "{error:?}");
    assert!(start.elapsed() < SECOND * 30, "{:?}", start.elapsed());
}
