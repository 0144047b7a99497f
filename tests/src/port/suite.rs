//! What the flow relies on, whatever stands behind a port. Each suite says what is not as promised.

use std::time::Duration;

use serde_json::json;
use twinwright_core::time::{Micros, iso};

use twinwright_app::ports::{TwinAnswer, TwinPort, TwinVersion};

const OBSERVED: Micros = 1_772_621_990_000_000;
/// Writes in a row that no service with the documented limits takes within a second.
const BURST: u32 = 40;
/// Longest pause that a throttled writer is asked for.
const PAUSE: Duration = Duration::from_secs(10);

/// Suite of [`TwinPort`]. `twin` exists, has no `observedAt` and no other writer; `absent` does not exist.
///
/// # Errors
/// The first promise that is not kept.
pub async fn twin_port(port: &dyn TwinPort, twin: &str, absent: &str) -> Result<(), String> {
    let patch = |at: Micros| json!([{ "op": "add", "path": "/observedAt", "value": iso(at) }]).to_string();
    expect("a twin that is not there has no version", &port.version(absent).await, &TwinAnswer::NotFound)?;
    let there = port.patch(absent, patch(OBSERVED), "W/\"1\"").await;
    expect("a twin that is not there takes no patch", &there, &TwinAnswer::NotFound)?;

    let first = version(port, twin).await?;
    expect("a new twin shows no time", &first.observed_at, &None)?;
    let second = done(port.patch(twin, patch(OBSERVED), &first.etag).await)?;
    let read = version(port, twin).await?;
    expect("a write is read at once", &read.observed_at, &Some(OBSERVED))?;
    expect("its tag is that of the answer", &read.etag, &second)?;
    let stale = port.patch(twin, patch(OBSERVED + 1), &first.etag).await;
    expect("an old tag changes nothing", &stale, &TwinAnswer::Changed)?;
    expect("and nothing was changed", &version(port, twin).await?, &read)?;
    match port.patch(twin, r#"[{"op":"add","value":1}]"#.to_owned(), &read.etag).await {
        TwinAnswer::Refused(words) if !words.is_empty() => {}
        other => return Err(format!("what is no patch is refused with words: {other:?}")),
    }
    expect("what was refused changed nothing", &version(port, twin).await?, &read)?;
    burst(port, twin, read.etag).await
}

/// Writes until the service has enough, waits as it asks, and goes on.
async fn burst(port: &dyn TwinPort, twin: &str, mut etag: String) -> Result<(), String> {
    for number in 1..=BURST {
        let patch =
            json!([{ "op": "replace", "path": "/observedAt", "value": iso(OBSERVED + i64::from(number)) }]);
        match port.patch(twin, patch.to_string(), &etag).await {
            TwinAnswer::Done(next) => etag = next,
            TwinAnswer::Throttled(micros) => {
                let pause = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                if pause.is_zero() || pause > PAUSE {
                    return Err(format!("a throttled writer is told how long to wait: {pause:?}"));
                }
                tokio::time::sleep(pause).await;
                return done(port.patch(twin, patch.to_string(), &etag).await).map(drop);
            }
            other => return Err(format!("write {number} in a row: {other:?}")),
        }
    }
    Err(format!("{BURST} writes of one twin in a row were taken; the limit is 10 a second"))
}

async fn version(port: &dyn TwinPort, twin: &str) -> Result<TwinVersion, String> {
    done(port.version(twin).await)
}

fn done<T: std::fmt::Debug>(answer: TwinAnswer<T>) -> Result<T, String> {
    match answer {
        TwinAnswer::Done(value) => Ok(value),
        other => Err(format!("it should have been done: {other:?}")),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(promise: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{promise}: {found:?}, not {expected:?}")) }
}
