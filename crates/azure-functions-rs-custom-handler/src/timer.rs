//! The timer trigger (`timerTrigger`).

use serde::Deserialize;

use crate::envelope::{self, RetryContext, SystemMetadata, Visitor, value_text};
use crate::error::{DecodeError, Fault, Problem};
use crate::scan::Cursor;
use crate::time::parse_time;

/// Times before the year 2 mean "never" to the host.
const NEVER_BEFORE_US: i64 = -62_104_060_800_000_000;

/// One run of a timer function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerInvocation {
    /// The function's binding that the run came through.
    pub binding: String,
    /// Whether the run comes later than the schedule asked for.
    pub is_past_due: bool,
    /// Whether the schedule follows daylight saving time.
    pub adjust_for_dst: bool,
    /// What the host remembers of earlier runs; absent without `useMonitor` and for schedules of less
    /// than a minute.
    pub schedule_status: Option<ScheduleStatus>,
    /// Present if the function has a retry policy.
    pub retry_context: Option<RetryContext>,
    /// What the host says about the invocation.
    pub system: SystemMetadata,
}

/// The host's record of a schedule; times in microseconds since 1970 UTC, absent before the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// The last run that was due.
    pub last_us: Option<i64>,
    /// The next run that is due.
    pub next_us: Option<i64>,
    /// When the record was written.
    pub last_updated_us: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimerWire {
    #[serde(default)]
    schedule: Option<ScheduleWire>,
    #[serde(default)]
    schedule_status: Option<StatusWire>,
    is_past_due: bool,
}

#[derive(Deserialize)]
struct ScheduleWire {
    #[serde(rename = "AdjustForDST", default)]
    adjust_for_dst: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusWire {
    #[serde(default)]
    last: Option<String>,
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
}

#[derive(Default)]
struct Members {
    timer: Option<TimerWire>,
    retry_context: Option<RetryContext>,
    system: SystemMetadata,
}

impl TimerInvocation {
    /// Decodes the body of a call; `binding` may be left out where the function has no other `in` binding.
    ///
    /// # Errors
    /// [`DecodeError`] names the field and the place.
    pub fn parse(body: &[u8], binding: Option<&str>) -> Result<Self, DecodeError> {
        let mut members = Members::default();
        let binding = envelope::walk(body, binding, &mut members)?;
        let field = format!("Data.{binding}");
        let timer = members.timer.ok_or_else(|| DecodeError::missing(&field))?;
        let schedule_status = match timer.schedule_status {
            Some(status) => Some(ScheduleStatus {
                last_us: status_time(status.last.as_deref(), &field)?,
                next_us: status_time(status.next.as_deref(), &field)?,
                last_updated_us: status_time(status.last_updated.as_deref(), &field)?,
            }),
            None => None,
        };
        Ok(Self {
            binding,
            is_past_due: timer.is_past_due,
            adjust_for_dst: timer.schedule.is_some_and(|schedule| schedule.adjust_for_dst),
            schedule_status,
            retry_context: members.retry_context,
            system: members.system,
        })
    }
}

fn status_time(text: Option<&str>, field: &str) -> Result<Option<i64>, DecodeError> {
    let Some(text) = text else { return Ok(None) };
    let micros = parse_time(text.as_bytes()).ok_or_else(|| {
        Fault { position: 0, problem: Problem::BadTime }.in_field(&format!("{field}.ScheduleStatus"))
    })?;
    Ok((micros >= NEVER_BEFORE_US).then_some(micros))
}

impl<'a> Visitor<'a> for Members {
    fn data(&mut self, binding: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        let field = format!("Data.{binding}");
        let text = value_text(value, &field)?;
        self.timer = Some(serde_json::from_str(&text).map_err(|cause| DecodeError::shape(&field, &cause))?);
        Ok(())
    }

    fn metadata(&mut self, name: &str, value: &mut Cursor<'a>) -> Result<(), DecodeError> {
        match name {
            "sys" => self.system = SystemMetadata::read(value)?,
            "RetryContext" => self.retry_context = RetryContext::read(value)?,
            _ => value.skip_value().map_err(|fault| fault.in_field(&format!("Metadata.{name}")))?,
        }
        Ok(())
    }
}
