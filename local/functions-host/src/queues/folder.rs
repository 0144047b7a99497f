//! Queues in a folder: one folder a queue, one file a message, its state in the file's name.
//!
//! A rename is atomic, so a message is always in exactly one state, whenever the machine stops, and of two
//! receivers (also in two processes) one wins. The name is `<visible>_<inserted>_<id>_<dequeued>_<receipt>.msg` with times in
//! microseconds, so that sorted names are in the order of visibility.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{QueueMessage, QueueService, TIME_TO_LIVE_DAYS, check_body, check_name};
use crate::QueueError;

/// Durable queues below one folder.
#[derive(Debug, Clone)]
pub struct FolderQueues {
    root: Arc<PathBuf>,
    arrivals: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

/// The state of a message, as its file name says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    visible_us: i64,
    inserted_us: i64,
    id: Uuid,
    dequeued: i64,
    receipt: Uuid,
}

impl Name {
    fn stem(&self) -> String {
        format!(
            "{:016}_{:016}_{}_{}_{}",
            self.visible_us.max(0),
            self.inserted_us.max(0),
            self.id.simple(),
            self.dequeued,
            self.receipt.simple()
        )
    }

    fn parse(stem: &str) -> Option<Self> {
        let mut parts = stem.split('_');
        let mut next = || parts.next();
        let name = Self {
            visible_us: next()?.parse().ok()?,
            inserted_us: next()?.parse().ok()?,
            id: Uuid::try_parse(next()?).ok()?,
            dequeued: next()?.parse().ok()?,
            receipt: Uuid::try_parse(next()?).ok()?,
        };
        parts.next().is_none().then_some(name)
    }

    fn expiration(&self) -> DateTime<Utc> {
        time(self.inserted_us) + TimeDelta::days(TIME_TO_LIVE_DAYS)
    }

    fn message(&self, body: Bytes) -> QueueMessage {
        QueueMessage {
            id: self.id.to_string(),
            pop_receipt: self.stem(),
            dequeue_count: self.dequeued,
            insertion_time: time(self.inserted_us),
            expiration: self.expiration(),
            next_visible: time(self.visible_us),
            body,
        }
    }
}

impl FolderQueues {
    /// Queues below `root`, which is made when the first queue is created.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: Arc::new(root.into()), arrivals: Arc::default() }
    }

    fn folder(&self, queue: &str) -> Result<PathBuf, QueueError> {
        check_name(queue)?;
        Ok(self.root.join(queue))
    }

    fn arrival(&self, queue: &str) -> Arc<Notify> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(arrivals.entry(queue.to_owned()).or_default())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        queue: &str,
        work: impl FnOnce(&Path, &str) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let folder = self.folder(queue)?;
        let (name, path) = (queue.to_owned(), folder.clone());
        let joined = tokio::task::spawn_blocking(move || work(&folder, &name)).await;
        joined.unwrap_or_else(|error| Err(QueueError::File { path, source: io::Error::other(error) }))
    }
}

#[async_trait]
impl QueueService for FolderQueues {
    async fn create(&self, queue: &str) -> Result<(), QueueError> {
        self.blocking(queue, |folder, _| {
            let part = folder.join(".part");
            fs::create_dir_all(&part).map_err(at(&part))?;
            // What was being written when the machine stopped was never sent.
            for entry in fs::read_dir(&part).map_err(at(&part))?.flatten() {
                let old = entry
                    .metadata()
                    .and_then(|data| data.modified())
                    .ok()
                    .and_then(|time| time.elapsed().ok());
                if old.is_some_and(|age| age > Duration::from_secs(3600)) {
                    let _ = fs::remove_file(entry.path());
                }
            }
            sync_folder(folder)
        })
        .await
    }

    async fn send(&self, queue: &str, body: Bytes) -> Result<(), QueueError> {
        check_body(queue, &body)?;
        self.blocking(queue, move |folder, queue| {
            if !folder.is_dir() {
                return Err(QueueError::NotFound(queue.to_owned()));
            }
            let now = Utc::now().timestamp_micros();
            let name = Name {
                visible_us: now,
                inserted_us: now,
                id: Uuid::new_v4(),
                dequeued: 0,
                receipt: Uuid::nil(),
            };
            let part = folder.join(".part").join(name.id.simple().to_string());
            write_synced(&part, &body).map_err(at(&part))?;
            let path = folder.join(format!("{}.msg", name.stem()));
            fs::rename(&part, &path).map_err(at(&path))?;
            sync_folder(folder)
        })
        .await?;
        self.arrival(queue).notify_one();
        Ok(())
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueError> {
        self.blocking(queue, move |folder, queue| receive(folder, queue, max.clamp(1, 32), visibility)).await
    }

    async fn delete(&self, queue: &str, message: &QueueMessage) -> Result<(), QueueError> {
        let message = message.clone();
        self.blocking(queue, move |folder, queue| {
            let path = folder.join(format!("{}.msg", held(queue, &message)?.stem()));
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(lost(queue, &message)),
                other => other.map_err(at(&path)),
            }?;
            sync_folder(folder)
        })
        .await
    }

    async fn set_visibility(
        &self,
        queue: &str,
        message: &QueueMessage,
        visibility: Duration,
    ) -> Result<QueueMessage, QueueError> {
        let message = message.clone();
        let changed = self.blocking(queue, move |folder, queue| {
            let old = held(queue, &message)?;
            let from = folder.join(format!("{}.msg", old.stem()));
            let new = Name { visible_us: from_now(visibility), receipt: Uuid::new_v4(), ..old };
            match fs::rename(&from, folder.join(format!("{}.msg", new.stem()))) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(lost(queue, &message)),
                Err(error) => Err(at(&from)(error)),
                Ok(()) => Ok(new.message(message.body)),
            }
        });
        let changed = changed.await?;
        if visibility.is_zero() {
            self.arrival(queue).notify_one();
        }
        Ok(changed)
    }

    async fn wait(&self, queue: &str, most: Duration) {
        let arrival = self.arrival(queue);
        let _ = tokio::time::timeout(most, arrival.notified()).await;
    }
}

fn receive(
    folder: &Path,
    queue: &str,
    max: usize,
    visibility: Duration,
) -> Result<Vec<QueueMessage>, QueueError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(QueueError::NotFound(queue.to_owned()));
        }
        other => other.map_err(at(folder))?,
    };
    let now = Utc::now();
    let mut visible = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(folder))?;
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".msg")).and_then(Name::parse)
        else {
            continue;
        };
        if name.expiration() <= now {
            let _ = fs::remove_file(entry.path());
        } else if name.visible_us <= now.timestamp_micros() {
            visible.push(name);
        }
    }
    visible.sort_unstable();
    let mut messages = Vec::new();
    for old in visible {
        if messages.len() == max {
            break;
        }
        let new = Name {
            visible_us: from_now(visibility),
            dequeued: old.dequeued + 1,
            receipt: Uuid::new_v4(),
            ..old.clone()
        };
        let path = folder.join(format!("{}.msg", new.stem()));
        match fs::rename(folder.join(format!("{}.msg", old.stem())), &path) {
            // Another receiver was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path)(error)),
            Ok(()) => match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                body => messages.push(new.message(Bytes::from(body.map_err(at(&path))?))),
            },
        }
    }
    Ok(messages)
}

/// The name under which the caller holds a message. The receipt comes from outside, so it is parsed, not joined to a path.
fn held(queue: &str, message: &QueueMessage) -> Result<Name, QueueError> {
    Name::parse(&message.pop_receipt)
        .filter(|name| name.id.to_string() == message.id && !name.receipt.is_nil())
        .ok_or_else(|| lost(queue, message))
}

fn lost(queue: &str, message: &QueueMessage) -> QueueError {
    QueueError::Receipt { queue: queue.to_owned(), id: message.id.clone() }
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

fn from_now(visibility: Duration) -> i64 {
    let micros = i64::try_from(visibility.as_micros()).unwrap_or(i64::MAX);
    Utc::now().timestamp_micros().saturating_add(micros)
}

fn write_synced(path: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    io::Write::write_all(&mut file, body)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> Result<(), QueueError> {
    fs::File::open(folder).and_then(|file| file.sync_all()).map_err(at(folder))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> QueueError + use<> {
    let path = path.to_owned();
    move |source| QueueError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_parses_back_and_nothing_else_does() {
        let name =
            Name { visible_us: 5, inserted_us: 4, id: Uuid::new_v4(), dequeued: 3, receipt: Uuid::new_v4() };
        assert_eq!(Name::parse(&name.stem()), Some(name));
        for wrong in ["", "a", "../../etc/passwd", "1_2_3_4_5", "1_2_x_3_y_z"] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
    }
}
