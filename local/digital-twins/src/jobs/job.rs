//! The record of a job.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::clock;

/// Longest identifier of a job.
const LONGEST_ID: usize = 100;
/// Days for which a finished job can be looked up.
const KEPT_DAYS: i64 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobKind {
    Import,
    Deletion,
}

impl JobKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Deletion => "deletion",
        }
    }

    /// The code for a job that does not exist: what the service sends, not what its specification lists.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::Import => "JobNotFound",
            Self::Deletion => "DeleteJobNotFound",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobStatus {
    NotStarted,
    Running,
    Failed,
    Succeeded,
    Cancelling,
    Cancelled,
}

impl JobStatus {
    pub(crate) fn is_finished(self) -> bool {
        matches!(self, Self::Failed | Self::Succeeded | Self::Cancelled)
    }
}

/// An import or a deletion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) kind: JobKind,
    pub(crate) id: String,
    pub(crate) status: JobStatus,
    pub(crate) input_blob_uri: Option<String>,
    pub(crate) output_blob_uri: Option<String>,
    pub(crate) created_date_time: String,
    pub(crate) last_action_date_time: String,
    pub(crate) finished_date_time: Option<String>,
    pub(crate) purge_date_time: Option<String>,
    pub(crate) error: Option<Value>,
}

impl Job {
    pub(crate) fn new(kind: JobKind, id: &str) -> Self {
        let now = clock::now();
        Self {
            kind,
            id: id.to_owned(),
            status: JobStatus::NotStarted,
            input_blob_uri: None,
            output_blob_uri: None,
            created_date_time: now.clone(),
            last_action_date_time: now,
            finished_date_time: None,
            purge_date_time: None,
            error: None,
        }
    }

    /// The job with another status, and the times that go with it.
    pub(crate) fn with(&self, status: JobStatus, error: Option<Value>) -> Self {
        let now = Utc::now();
        let mut job = Self { status, last_action_date_time: clock::format(now), ..self.clone() };
        if status.is_finished() {
            job.finished_date_time = Some(clock::format(now));
            job.purge_date_time = Some(clock::format(now + TimeDelta::days(KEPT_DAYS)));
            job.error = error;
        }
        job
    }

    /// True when it was kept long enough.
    pub(crate) fn is_due(&self, now: DateTime<Utc>) -> bool {
        let due = self.purge_date_time.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        due.is_some_and(|due| due <= now)
    }

    /// The job as clients see it.
    pub(crate) fn wire(&self) -> Value {
        let mut wire =
            json!({"id": self.id, "status": self.status, "createdDateTime": self.created_date_time});
        if self.kind == JobKind::Import {
            wire["inputBlobUri"] = json!(self.input_blob_uri);
            wire["outputBlobUri"] = json!(self.output_blob_uri);
            wire["lastActionDateTime"] = json!(self.last_action_date_time);
        }
        for (name, value) in
            [("finishedDateTime", &self.finished_date_time), ("purgeDateTime", &self.purge_date_time)]
        {
            if let Some(value) = value {
                wire[name] = value.as_str().into();
            }
        }
        if let Some(error) = &self.error {
            wire["error"] = error.clone();
        }
        wire
    }
}

pub(crate) fn check_job_id(id: &str) -> Result<(), Refusal> {
    let fits = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    if fits {
        return Ok(());
    }
    let message = format!(
        "the identifier of a job has 1 to {LONGEST_ID} letters, digits, hyphens, underscores, dots or tildes"
    );
    Err(Refusal::bad("ValidationFailed", message))
}
