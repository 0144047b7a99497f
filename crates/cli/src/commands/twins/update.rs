//! `twins update`: PATH=VALUE becomes a JSON Patch of `add`, which sets a property whether it is there or not.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use twinwright_azure::twins::{PatchOutcome, TwinsClient};

use crate::output::Output;

/// The operations that are asked for.
pub(super) fn operations(set: &[String], patch: Option<&str>) -> anyhow::Result<Value> {
    if let Some(patch) = patch {
        let patch: Value = serde_json::from_str(patch).context("--patch needs JSON")?;
        if !patch.is_array() {
            bail!(
                "--patch needs a list of operations, such as '[{{\"op\":\"add\",\"path\":\"/speed\",\"value\":3}}]'"
            );
        }
        return Ok(patch);
    }
    let operation = |text: &String| {
        let (path, value) = text.split_once('=').with_context(|| format!("{text:?} is not PATH=VALUE"))?;
        let path = path.trim_matches('/');
        if path.is_empty() {
            bail!("{text:?} has no path before the =");
        }
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(json!({ "op": "add", "path": format!("/{path}"), "value": value }))
    };
    set.iter().map(operation).collect::<anyhow::Result<Vec<_>>>().map(Value::Array)
}

/// Sends them.
pub(super) async fn twin(
    client: &TwinsClient,
    id: &str,
    operations: &Value,
    if_match: Option<&str>,
    output: Output,
) -> anyhow::Result<()> {
    match client.patch_twin(id, operations.to_string().into(), if_match).await {
        PatchOutcome::Patched { etag } => {
            output.result(&json!({ "updated": id, "etag": etag }), || format!("updated {id}"));
            Ok(())
        }
        PatchOutcome::NotFound => bail!("there is no twin {id}"),
        PatchOutcome::PreconditionFailed => {
            bail!("twin {id} has changed meanwhile: look at it again, and send its newest ETag")
        }
        PatchOutcome::Invalid { code, message } => bail!("{code}: {message}"),
        PatchOutcome::Throttled { retry_after } => {
            bail!("too many requests: try again in {} s", retry_after.map_or(1, |wait| wait.as_secs().max(1)))
        }
        PatchOutcome::Unavailable { cause } => bail!("{cause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_becomes_a_patch() {
        let set = ["latest/speed=3.5", "/status=running", "name=\"7\"", "on=true"].map(str::to_owned);
        let values = [json!(3.5), json!("running"), json!("7"), json!(true)];
        let patch = operations(&set, None).unwrap();
        for (operation, value) in patch.as_array().unwrap().iter().zip(values) {
            assert_eq!((&operation["op"], &operation["value"]), (&json!("add"), &value));
        }
        assert_eq!(patch[0]["path"], "/latest/speed");
        assert!(operations(&["speed".to_owned()], None).unwrap_err().to_string().contains("PATH=VALUE"));
        assert!(operations(&[], Some("{}")).unwrap_err().to_string().contains("list of operations"));
    }
}
