//! The records of jobs. Who works on them is elsewhere.

use std::sync::Arc;

use chrono::Utc;
use serde_json::{Value, json};

use super::locks::{Place, changes};
use super::{Change, Graph, Plan, Store};
use crate::answer::Refusal;
use crate::jobs::{Job, JobKind, JobStatus};

/// Jobs of one kind that are remembered; the oldest finished ones go first.
const MOST_JOBS: usize = 1000;

fn no_job(kind: JobKind, id: &str) -> Refusal {
    Refusal::missing(kind.missing(), format!("there is no job '{id}'"))
}

fn find<'a>(graph: &'a Graph, kind: JobKind, id: &str) -> Result<&'a Arc<Job>, Refusal> {
    let found = graph.jobs.get(&(kind, id.to_owned())).filter(|job| !job.is_due(Utc::now()));
    found.ok_or_else(|| no_job(kind, id))
}

impl Store {
    /// Notes a new job, unless another one is at work.
    pub(crate) async fn add_job(&self, job: Job) -> Result<Arc<Job>, Refusal> {
        self.submit(vec![changes(Place::Jobs)], move |graph| {
            if graph.jobs.contains_key(&(job.kind, job.id.clone())) {
                let message = format!("a job '{}' exists already: choose another identifier", job.id);
                return Err(Refusal::new(axum::http::StatusCode::CONFLICT, "JobIdAlreadyExists", message));
            }
            if let Some(busy) = graph.jobs.values().find(|other| !other.status.is_finished()) {
                let message =
                    format!("the job '{}' is still at work and one runs at a time: wait for it", busy.id);
                return Err(Refusal::bad("JobLimitReached", message));
            }
            let job = Arc::new(job);
            let mut list = vec![Change::Job(Arc::clone(&job))];
            list.extend(superfluous(graph, job.kind));
            Ok(Plan { changes: list, events: Vec::new(), reply: job })
        })
        .await
    }

    /// Moves a job on. A job that is being cancelled does not go back to running.
    pub(crate) async fn move_job(
        &self,
        kind: JobKind,
        id: &str,
        status: JobStatus,
        error: Option<Value>,
    ) -> Result<Arc<Job>, Refusal> {
        let id = id.to_owned();
        self.submit(vec![changes(Place::Jobs)], move |graph| {
            let job = find(graph, kind, &id)?;
            let stays =
                job.status.is_finished() || (job.status == JobStatus::Cancelling && !status.is_finished());
            if stays {
                return Ok(Plan::nothing(Arc::clone(job)));
            }
            let moved = Arc::new(job.with(status, error));
            Ok(Plan { changes: vec![Change::Job(Arc::clone(&moved))], events: Vec::new(), reply: moved })
        })
        .await
    }

    /// Forgets a finished job.
    pub(crate) async fn delete_job(&self, kind: JobKind, id: String) -> Result<(), Refusal> {
        self.submit(vec![changes(Place::Jobs)], move |graph| {
            if !find(graph, kind, &id)?.status.is_finished() {
                let message =
                    format!("the job '{id}' is still at work: cancel it first, or wait for its end");
                return Err(Refusal::bad("ValidationFailed", message));
            }
            Ok(Plan { changes: vec![Change::DeleteJob { kind, id }], events: Vec::new(), reply: () })
        })
        .await
    }

    /// Ends the jobs that the last process left unfinished.
    pub(crate) async fn end_interrupted_jobs(&self) -> Result<(), Refusal> {
        self.submit(vec![changes(Place::Jobs)], move |graph| {
            let error = json!({"code": "JobInterrupted", "message": "the service ended while the job was at work: start it again"});
            let unfinished = graph.jobs.values().filter(|job| !job.status.is_finished());
            let list = unfinished
                .map(|job| {
                    let cancelled = job.status == JobStatus::Cancelling;
                    let status = if cancelled { JobStatus::Cancelled } else { JobStatus::Failed };
                    Change::Job(Arc::new(job.with(status, (!cancelled).then(|| error.clone()))))
                })
                .collect();
            Ok(Plan { changes: list, events: Vec::new(), reply: () })
        })
        .await
    }

    /// One job.
    pub(crate) fn job(&self, kind: JobKind, id: &str) -> Result<Arc<Job>, Refusal> {
        find(&self.graph(), kind, id).cloned()
    }

    /// Jobs of a kind after an identifier, in order: at most `size`, and whether there are more.
    pub(crate) fn list_jobs(&self, kind: JobKind, after: &str, size: usize) -> (Vec<Arc<Job>>, bool) {
        let (graph, now) = (self.graph(), Utc::now());
        let rest = graph
            .jobs
            .iter()
            .filter(|((of, id), job)| *of == kind && id.as_str() > after && !job.is_due(now));
        let mut found: Vec<_> = rest.take(size + 1).map(|(_, job)| Arc::clone(job)).collect();
        let more = found.len() > size;
        found.truncate(size);
        (found, more)
    }
}

/// Jobs to forget: those kept long enough, and the oldest above the bound.
fn superfluous(graph: &Graph, kind: JobKind) -> Vec<Change> {
    let now = Utc::now();
    let mut finished: Vec<&Arc<Job>> =
        graph.jobs.values().filter(|job| job.kind == kind && job.status.is_finished()).collect();
    finished.sort_by(|left, right| right.created_date_time.cmp(&left.created_date_time));
    let old = finished.into_iter().enumerate().filter(|(place, job)| *place >= MOST_JOBS || job.is_due(now));
    old.map(|(_, job)| Change::DeleteJob { kind, id: job.id.clone() }).collect()
}
