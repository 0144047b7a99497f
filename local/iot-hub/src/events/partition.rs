//! One partition: a writer thread that alone gives out numbers, and readers beside it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use super::segments::{self, Segment};
use super::{HubEvent, NewEvent, iso_time, record};
use crate::config::HubConfig;
use crate::error::HubError;
use crate::files;

/// Appends waiting for the writer; beyond that, senders wait.
const QUEUE: usize = 1024;
/// Appends stored with one write.
const GROUP: usize = 512;
/// Most bytes of events one read returns.
const READ_BYTES: usize = 16 << 20;

type Stored = Result<Vec<Arc<HubEvent>>, HubError>;

struct Append {
    events: Vec<NewEvent>,
    reply: oneshot::Sender<Stored>,
}

/// What readers and the writer share. The lock is held for moments only, never over a file operation.
#[derive(Debug)]
struct Shared {
    /// The newest events, as many as the budget allows; numbers without holes, ending at the newest.
    recent: VecDeque<Arc<HubEvent>>,
    recent_bytes: usize,
    budget: usize,
    segments: VecDeque<Segment>,
    next_sequence: i64,
}

/// A partition of the log.
#[derive(Debug)]
pub(super) struct Partition {
    number: u32,
    shared: Arc<Mutex<Shared>>,
    queue: Mutex<Option<mpsc::Sender<Append>>>,
    /// The next sequence number, once everything below it is stored.
    next: watch::Receiver<i64>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    fn remember(&mut self, event: Arc<HubEvent>) {
        self.recent_bytes += event.footprint();
        self.recent.push_back(event);
        while self.recent_bytes > self.budget && self.recent.len() > 1 {
            if let Some(oldest) = self.recent.pop_front() {
                self.recent_bytes -= oldest.footprint();
            }
        }
    }
}

impl Partition {
    pub(super) fn open(folder: &Path, number: u32, config: &HubConfig) -> Result<Self, HubError> {
        let count = config.partitions.max(1);
        let mut shared = Shared {
            recent: VecDeque::new(),
            recent_bytes: 0,
            budget: config.memory_bytes / count as usize,
            segments: VecDeque::new(),
            next_sequence: 0,
        };
        let recovered = segments::recover(folder, number, |event| shared.remember(event))?;
        shared.segments = recovered.segments;
        shared.next_sequence = recovered.next_sequence;
        let (next_sender, next) = watch::channel(recovered.next_sequence);
        let shared = Arc::new(Mutex::new(shared));
        let (queue, appends) = mpsc::channel(QUEUE);
        let mut writer = Writer {
            folder: folder.to_path_buf(),
            number,
            shared: Arc::clone(&shared),
            next: next_sender,
            file: None,
            next_sequence: recovered.next_sequence,
            next_offset: recovered.next_offset,
            last_enqueued_us: recovered.last_enqueued_us,
            segment_bytes: config.segment_bytes.max(1),
            retention_bytes: config.retention_bytes / u64::from(count),
            fsync: config.fsync,
        };
        writer.trim();
        let handle = std::thread::Builder::new()
            .name(format!("hub-partition-{number}"))
            .spawn(move || writer.run(appends))
            .map_err(HubError::file("start a thread for", folder))?;
        Ok(Self { number, shared, queue: Mutex::new(Some(queue)), next, writer: Mutex::new(Some(handle)) })
    }

    pub(super) fn next_sequence(&self) -> i64 {
        *self.next.borrow()
    }

    pub(super) fn first_sequence(&self) -> i64 {
        let shared = lock(&self.shared);
        shared.segments.front().map_or(shared.next_sequence, |segment| segment.first)
    }

    pub(super) async fn append(&self, events: Vec<NewEvent>) -> Stored {
        let queue = lock(&self.queue).clone().ok_or(HubError::LogClosed)?;
        let (reply, stored) = oneshot::channel();
        queue.send(Append { events, reply }).await.map_err(|_| HubError::LogClosed)?;
        stored.await.map_err(|_| HubError::LogClosed)?
    }

    pub(super) async fn wait(&self, from: i64) -> Result<(), HubError> {
        let mut next = self.next.clone();
        next.wait_for(|next| *next > from).await.map(drop).map_err(|_| HubError::LogClosed)
    }

    pub(super) async fn read(&self, from: i64, max: usize) -> Stored {
        let from = from.max(0);
        let candidates: Vec<Segment> = {
            let shared = lock(&self.shared);
            if from >= shared.next_sequence || max == 0 {
                return Ok(Vec::new());
            }
            if let Some(skip) =
                shared.recent.front().and_then(|event| usize::try_from(from - event.sequence).ok())
            {
                return Ok(within_budget(shared.recent.iter().skip(skip).take(max).cloned()));
            }
            // The segment that holds `from` (or the oldest) and the one after it are enough for one answer.
            let after = shared.segments.partition_point(|segment| segment.first <= from);
            shared.segments.iter().skip(after.saturating_sub(1)).take(2).cloned().collect()
        };
        let number = self.number;
        let read = tokio::task::spawn_blocking(move || {
            let mut events = Vec::new();
            let mut bytes = 0;
            for segment in candidates {
                let outcome = segment.read(number, from, |event| {
                    bytes += event.footprint();
                    events.push(Arc::new(event));
                    events.len() < max && bytes < READ_BYTES
                });
                match outcome {
                    // Retention may remove the file between the look-up and the read; the next one goes on.
                    Err(HubError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) if events.is_empty() => return Err(error),
                    _ => {}
                }
                if events.len() >= max || bytes >= READ_BYTES {
                    break;
                }
            }
            Ok(events)
        });
        read.await.map_err(|_| HubError::LogClosed)?
    }

    pub(super) async fn close(&self) {
        lock(&self.queue).take();
        let handle = lock(&self.writer).take();
        if let Some(handle) = handle {
            let _ = tokio::task::spawn_blocking(move || handle.join()).await;
        }
    }
}

fn within_budget(events: impl Iterator<Item = Arc<HubEvent>>) -> Vec<Arc<HubEvent>> {
    let mut bytes = 0;
    events
        .take_while(|event| {
            let before = bytes;
            bytes += event.footprint();
            before < READ_BYTES
        })
        .collect()
}

/// Owns the newest file and the counters.
struct Writer {
    folder: PathBuf,
    number: u32,
    shared: Arc<Mutex<Shared>>,
    next: watch::Sender<i64>,
    file: Option<File>,
    next_sequence: i64,
    next_offset: i64,
    last_enqueued_us: i64,
    segment_bytes: u64,
    retention_bytes: u64,
    fsync: bool,
}

impl Writer {
    /// Takes whatever waits, stores it with one write, then answers everyone.
    fn run(mut self, mut appends: mpsc::Receiver<Append>) {
        let mut bytes = Vec::new();
        while let Some(first) = appends.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(append) = appends.try_recv()
            {
                group.push(append);
            }
            bytes.clear();
            let mut replies = Vec::with_capacity(group.len());
            let mut lengths = Vec::with_capacity(group.len());
            let (sequence, offset, enqueued) = (self.next_sequence, self.next_offset, self.last_enqueued_us);
            for append in group {
                let events: Vec<Arc<HubEvent>> = append
                    .events
                    .into_iter()
                    .map(|event| self.place(event, &mut bytes, &mut lengths))
                    .collect();
                replies.push((append.reply, events));
            }
            match self.store(&bytes) {
                Ok(()) => {
                    self.publish(replies.iter().flat_map(|(_, events)| events).zip(&lengths));
                    for (reply, events) in replies {
                        // The device may have gone; its events are stored all the same.
                        let _ = reply.send(Ok(events));
                    }
                }
                Err(error) => {
                    // Nothing of the group counts: the numbers are given out again.
                    (self.next_sequence, self.next_offset, self.last_enqueued_us) =
                        (sequence, offset, enqueued);
                    tracing::error!(partition = self.number, %error, "cannot store events");
                    for (reply, _) in replies {
                        let _ = reply.send(Err(HubError::LogWrite(error.to_string())));
                    }
                }
            }
            if bytes.capacity() > 8 << 20 {
                bytes = Vec::new();
            }
        }
        if let Some(file) = &self.file {
            let _ = file.sync_all();
        }
    }

    fn place(&mut self, event: NewEvent, bytes: &mut Vec<u8>, lengths: &mut Vec<u64>) -> Arc<HubEvent> {
        self.last_enqueued_us = chrono::Utc::now().timestamp_micros().max(self.last_enqueued_us);
        let mut system_properties = event.system_properties;
        system_properties.insert("iothub-enqueuedtime".to_owned(), iso_time(self.last_enqueued_us));
        let event = HubEvent {
            partition: self.number,
            sequence: self.next_sequence,
            offset: self.next_offset,
            enqueued_us: self.last_enqueued_us,
            device_id: event.device_id,
            system_properties,
            properties: event.properties,
            body: event.body,
        };
        let before = bytes.len();
        record::encode(&event, bytes);
        let length = (bytes.len() - before) as u64;
        lengths.push(length);
        self.next_sequence += 1;
        self.next_offset += i64::try_from(length).unwrap_or(0);
        Arc::new(event)
    }

    /// One write. If it fails half-way the file is cut back, so that no half of a record stays.
    fn store(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let (path, length) = {
            let mut shared = lock(&self.shared);
            let roll = shared.segments.back().is_none_or(|segment| segment.length >= self.segment_bytes);
            if roll {
                let first = shared.next_sequence;
                shared.segments.push_back(Segment::new(&self.folder, self.number, first));
                self.file = None;
            }
            let Some(segment) = shared.segments.back() else { return Ok(()) };
            (segment.path.clone(), segment.length)
        };
        if self.file.is_none() {
            let file = files::private_options().create(true).append(true).open(&path)?;
            // Whatever a failed write left behind goes before anything follows it.
            file.set_len(length)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(bytes).and_then(|()| if self.fsync { file.sync_data() } else { Ok(()) });
        if written.is_err() {
            let cut = file.set_len(length);
            self.file = None;
            if let Err(error) = cut {
                tracing::error!(file = %path.display(), %error, "cannot cut an unfinished write off the event log");
            }
        }
        written
    }

    fn publish<'a>(&mut self, stored: impl Iterator<Item = (&'a Arc<HubEvent>, &'a u64)>) {
        {
            let mut shared = lock(&self.shared);
            for (event, length) in stored {
                if let Some(segment) = shared.segments.back_mut() {
                    segment.grow(event.sequence, *length);
                }
                shared.remember(Arc::clone(event));
            }
            shared.next_sequence = self.next_sequence;
        }
        self.next.send_replace(self.next_sequence);
        self.trim();
    }

    /// Removes the oldest files beyond the retention size; the newest file always stays, it carries the numbers on.
    fn trim(&mut self) {
        loop {
            let oldest = {
                let mut shared = lock(&self.shared);
                let total: u64 = shared.segments.iter().map(|segment| segment.length).sum();
                if total <= self.retention_bytes || shared.segments.len() < 2 {
                    return;
                }
                shared.segments.pop_front()
            };
            if let Some(segment) = oldest
                && let Err(error) = std::fs::remove_file(&segment.path)
            {
                tracing::warn!(file = %segment.path.display(), %error, "cannot remove an old event file");
            }
        }
    }
}

/// A panic elsewhere leaves the data as it was between two statements, which is whole here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
