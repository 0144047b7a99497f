//! Starts the work of jobs, and stops it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::import::Outcome;
use super::{Job, JobKind, JobSettings, JobStatus, Place, Places};
use crate::answer::Refusal;
use crate::store::Store;

/// Jobs by identifier: how to ask one to end, and the task that waits for it.
type AtWork = HashMap<String, (Arc<AtomicBool>, Option<AbortHandle>)>;

/// Works on the jobs of one store.
#[derive(Debug)]
pub(crate) struct Runner {
    store: Arc<Store>,
    places: Places,
    client: Client,
    /// The job at work.
    at_work: Mutex<AtWork>,
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("ValidationFailed", message)
}

impl Runner {
    pub(crate) fn new(store: Arc<Store>, settings: JobSettings, client: Client) -> Arc<Self> {
        Arc::new(Self { store, places: Places::new(settings), client, at_work: Mutex::default() })
    }

    fn at_work(&self) -> std::sync::MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an import and starts it.
    pub(crate) async fn import(self: &Arc<Self>, id: &str, body: &Value) -> Result<Arc<Job>, Refusal> {
        super::check_job_id(id)?;
        let address = |name: &str| {
            let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.ok_or_else(|| invalid(format!("the job has no {name}: give the address of a blob")))
        };
        let (input, output) = (address("inputBlobUri")?, address("outputBlobUri")?);
        let places =
            (self.places.input(input).map_err(invalid)?, self.places.output(output).map_err(invalid)?);
        let mut job = Job::new(JobKind::Import, id);
        job.input_blob_uri = Some(input.to_owned());
        job.output_blob_uri = Some(output.to_owned());
        let job = self.store.add_job(job).await?;
        self.start(Arc::clone(&job), Some(places), Duration::ZERO);
        Ok(job)
    }

    /// Notes the deletion of everything and starts it.
    pub(crate) async fn deletion(
        self: &Arc<Self>,
        id: &str,
        patience: Duration,
    ) -> Result<Arc<Job>, Refusal> {
        super::check_job_id(id)?;
        let job = self.store.add_job(Job::new(JobKind::Deletion, id)).await?;
        self.start(Arc::clone(&job), None, patience);
        Ok(job)
    }

    fn start(self: &Arc<Self>, job: Arc<Job>, places: Option<(Place, Place)>, patience: Duration) {
        let cancel = Arc::new(AtomicBool::new(false));
        let id = job.id.clone();
        self.at_work().insert(id.clone(), (Arc::clone(&cancel), None));
        let runner = Arc::clone(self);
        let task = tokio::spawn(async move {
            runner.work(&job, places, patience, &cancel).await;
            runner.at_work().remove(&job.id);
        });
        if let Some(entry) = self.at_work().get_mut(&id) {
            entry.1 = Some(task.abort_handle());
        }
    }

    async fn work(
        &self,
        job: &Arc<Job>,
        places: Option<(Place, Place)>,
        patience: Duration,
        cancel: &Arc<AtomicBool>,
    ) {
        let (kind, id) = (job.kind, job.id.as_str());
        if let Err(refusal) = self.store.move_job(kind, id, JobStatus::Running, None).await {
            tracing::error!(job = id, reason = refusal.message, "a job could not be started");
            return;
        }
        let (status, error): Outcome = match places {
            Some(places) => {
                let (store, client, cancel) =
                    (Arc::clone(&self.store), self.client.clone(), Arc::clone(cancel));
                let (runtime, job) = (Handle::current(), Arc::clone(job));
                let run = move || super::run_import(&store, &job, places, &client, &runtime, &cancel);
                tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| {
                    (JobStatus::Failed, Some(json!({"code": "ImportFailed", "message": error.to_string()})))
                })
            }
            None => super::run_deletion(&self.store, patience).await,
        };
        tracing::info!(job = id, ?status, "a job ended");
        if let Err(refusal) = self.store.move_job(kind, id, status, error).await {
            tracing::error!(job = id, reason = refusal.message, "the end of a job could not be noted");
        }
    }

    /// Asks an import to end. What it has written stays.
    pub(crate) async fn cancel(&self, id: &str) -> Result<Arc<Job>, Refusal> {
        let job = self.store.move_job(JobKind::Import, id, JobStatus::Cancelling, None).await?;
        if let Some((cancel, _)) = self.at_work().get(id) {
            cancel.store(true, Ordering::Relaxed);
        }
        Ok(job)
    }

    /// Ends all work, for the service stops. What is unfinished is noted at the next start.
    pub(crate) fn stop(&self) {
        for (cancel, task) in self.at_work().values() {
            cancel.store(true, Ordering::Relaxed);
            if let Some(task) = task {
                task.abort();
            }
        }
    }
}
