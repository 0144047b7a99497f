//! The call of a timer trigger.

use chrono::{DateTime, Utc};

use super::{BindingData, Invocation, NetValue, time};

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScheduleStatus {
    /// When it ran last; none before the first run.
    #[serde(rename = "Last")]
    pub last: Option<DateTime<Utc>>,
    /// When it runs next.
    #[serde(rename = "Next")]
    pub next: DateTime<Utc>,
    /// When this was written; none before the first run.
    #[serde(rename = "LastUpdated")]
    pub last_updated: Option<DateTime<Utc>>,
}

/// One call; the status is none for timers that keep none.
pub fn invocation(
    function: &str,
    binding: &str,
    status: Option<&ScheduleStatus>,
    past_due: bool,
) -> Invocation {
    let shown = |time: Option<DateTime<Utc>>| {
        time.map_or_else(|| "0001-01-01T00:00:00+00:00".to_owned(), time::with_offset)
    };
    let status = status.map_or_else(
        || "null".to_owned(),
        |status| {
            format!(
                "{{\"Last\":\"{}\",\"Next\":\"{}\",\"LastUpdated\":\"{}\"}}",
                shown(status.last),
                shown(Some(status.next)),
                shown(status.last_updated)
            )
        },
    );
    let value = format!(
        "{{\"Schedule\":{{\"AdjustForDST\":true}},\"ScheduleStatus\":{status},\"IsPastDue\":{past_due}}}"
    );
    let mut metadata = BindingData::default();
    metadata.set_sys(function);
    Invocation { data: vec![(binding.to_owned(), NetValue::Object(value))], metadata }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_an_object_and_its_first_status_is_of_year_one() {
        let next = DateTime::parse_from_rfc3339("2026-01-01T00:05:00Z").unwrap().to_utc();
        let status = ScheduleStatus { last: None, next, last_updated: None };
        let body = invocation("retrain", "timer", Some(&status), false).body(None);
        let text = String::from_utf8(body.to_vec()).unwrap();
        let expected = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-01-01T00:05:00+00:00","LastUpdated":"0001-01-01T00:00:00+00:00"},"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"retrain","#;
        assert!(text.starts_with(expected), "{text}");
    }
}
