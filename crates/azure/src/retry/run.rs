use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Decision, Failure, RetryPolicy, Safety, Tried};
use crate::Error;

/// Calls `attempt` until it succeeds or the policy says stop. `attempt` gets what was tried before, itself included.
/// An attempt still under way at the deadline is cut off.
///
/// # Errors
/// The last failure, with the number of attempts and the time they took.
pub async fn run<T, F>(
    policy: &RetryPolicy,
    safety: Safety,
    what: &str,
    mut attempt: impl FnMut(u32) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Failure>>,
{
    let start = Instant::now();
    let mut attempts = 0;
    let mut attempts_lost = false;
    loop {
        attempts += 1;
        let left = policy.deadline.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        let failure = match timeout(left, attempt(attempts)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Lost("the deadline passed before the answer came".to_owned()),
        };
        attempts_lost |= matches!(failure, Failure::Lost(_));
        let tried = Tried { attempts, elapsed: start.elapsed() };
        match policy.decide(safety, tried, &failure, rand::random()) {
            Decision::Wait(wait) => {
                tracing::debug!(what, attempts, wait_ms = wait.as_millis(), "trying again");
                sleep(wait).await;
            }
            Decision::Stop => return Err(give_up(what, failure, attempts_lost, tried)),
        }
    }
}

fn give_up(what: &str, failure: Failure, attempts_lost: bool, tried: Tried) -> Error {
    match failure {
        Failure::NotSent(cause) => {
            Error::Transport { what: what.to_owned(), cause, may_have_acted: attempts_lost, tried }
        }
        Failure::Lost(cause) => {
            Error::Transport { what: what.to_owned(), cause, may_have_acted: true, tried }
        }
        Failure::Refused(mut service) => {
            service.tried = tried;
            Error::Service(service)
        }
        Failure::Final(error) => error,
    }
}
