//! One loop per timer; runs of one timer never overlap.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use tokio::sync::Mutex;

use crate::{
    checkpoint::{Documents, TimerState},
    encode::timer::{ScheduleStatus, invocation},
    events::LogLevel,
    invoke::{Failure, Invoker},
    ncrontab::Schedule,
    settings::{FunctionDefinition, RetryPolicy},
};

/// A timer sleeps no longer than this at once, so that a changed clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A timer function.
pub(crate) struct Timer {
    pub(crate) invoker: Invoker,
    pub(crate) function: Arc<FunctionDefinition>,
    pub(crate) documents: Documents,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) schedule: Schedule,
    pub(crate) run_on_startup: bool,
    /// Whether a status is kept: asked for, and not below a minute.
    pub(crate) monitor: bool,
    /// The status, and the right to run.
    pub(crate) status: Mutex<ScheduleStatus>,
}

impl Timer {
    /// The first status: what was kept, when it was kept for this schedule.
    pub(crate) fn initial(kept: Option<TimerState>, schedule: &Schedule) -> ScheduleStatus {
        match kept {
            Some(state) if state.schedule == format!("{schedule:?}") => state.status,
            _ => ScheduleStatus { last: None, next: schedule.next_after(Utc::now()), last_updated: None },
        }
    }

    pub(crate) async fn run(&self) {
        let kept = *self.status.lock().await;
        if self.monitor {
            self.save(&kept).await;
        }
        let past_due = self.monitor && kept.next <= Utc::now();
        if (past_due || self.run_on_startup) && self.invoke(past_due).await == Err(Failure::Stopping) {
            return;
        }
        let mut next = self.schedule.next_after(Utc::now());
        loop {
            let left = (next - Utc::now()).to_std().unwrap_or_default();
            if left.is_zero() {
                if self.invoke(false).await == Err(Failure::Stopping) {
                    return;
                }
                next = self.schedule.next_after(Utc::now());
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(LONGEST_SLEEP)) => {}
                () = self.invoker.stopping.cancelled() => return,
            }
        }
    }

    /// Runs the function now, after a run that goes on.
    pub(crate) async fn invoke(&self, past_due: bool) -> Result<(), Failure> {
        let mut status = self.status.lock().await;
        let shown = self.monitor.then_some(&*status);
        let call = invocation(&self.function.name, &self.function.binding, shown, past_due);
        let result = self.invoker.invoke(&self.function, &call, self.retry.as_ref()).await;
        if let Err(Failure::Stopping) = result {
            return Err(Failure::Stopping);
        }
        let now = Utc::now();
        *status =
            ScheduleStatus { last: Some(now), next: self.schedule.next_after(now), last_updated: Some(now) };
        if self.monitor {
            self.save(&status).await;
        }
        result.map(drop)
    }

    async fn save(&self, status: &ScheduleStatus) {
        let state = TimerState { schedule: format!("{:?}", self.schedule), status: *status };
        if let Err(error) = self.documents.set_timer(&self.function.name, &state).await {
            self.invoker.events.log(LogLevel::Error, Some(&self.function.name), error.to_string());
        }
    }
}
