//! A store in memory that fails when it is told to: for tests of what a kill or an outage leaves behind.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::store::Store;

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, once, as a busy service does.
    Busy,
    /// It is done, and the answer is lost.
    Lost,
    /// It and everything after it fail: the process is as good as killed.
    Dead,
    /// It is done, and everything after it fails.
    DeadAfter,
}

/// When to fail; clones share it.
#[derive(Clone, Debug)]
pub struct Faults {
    left: Arc<AtomicI64>,
    fault: Arc<AtomicU8>,
}

const NEVER: i64 = i64::MAX / 2;

impl Faults {
    /// A store over shared objects that fails at its own moment.
    pub fn over(objects: &Arc<InMemory>) -> (Store, Self) {
        let faults = Self { left: Arc::new(AtomicI64::new(NEVER)), fault: Arc::default() };
        let store = FaultStore { objects: Arc::clone(objects), faults: faults.clone() };
        (Store::wrap(Arc::new(store)), faults)
    }

    /// The fault comes at the n-th operation from now (0 is the next).
    pub fn plan(&self, operations: u32, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
        self.left.store(i64::from(operations), Ordering::SeqCst);
    }

    /// Whether the moment has come.
    pub fn is_spent(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// No more faults.
    pub fn heal(&self) {
        self.left.store(NEVER, Ordering::SeqCst);
    }

    /// What this operation is to suffer.
    fn next(&self) -> Option<Fault> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        let fault = match self.fault.load(Ordering::SeqCst) {
            0 => Fault::Busy,
            1 => Fault::Lost,
            2 => Fault::Dead,
            _ => Fault::DeadAfter,
        };
        match (left, fault) {
            (0, fault) => Some(fault),
            (..0, Fault::Dead | Fault::DeadAfter) => Some(Fault::Dead),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct FaultStore {
    objects: Arc<InMemory>,
    faults: Faults,
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faults")
    }
}

fn unavailable() -> Error {
    Error::Generic { store: "faults", source: "503 Server Busy".into() }
}

impl FaultStore {
    async fn suffer<T>(&self, done: impl Future<Output = Result<T>>) -> Result<T> {
        match self.faults.next() {
            None => done.await,
            Some(Fault::Busy | Fault::Dead) => Err(unavailable()),
            Some(Fault::Lost) => done.await.and(Err(unavailable())),
            Some(Fault::DeadAfter) => done.await,
        }
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.suffer(self.objects.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.suffer(self.objects.put_multipart_opts(location, options)).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.suffer(self.objects.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.suffer(self.objects.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.faults.next() {
            Some(Fault::Busy | Fault::Dead) => futures::stream::iter([Err(unavailable())]).boxed(),
            _ => self.objects.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.next() {
            Some(Fault::Busy | Fault::Dead) => futures::stream::iter([Err(unavailable())]).boxed(),
            _ => self.objects.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.suffer(self.objects.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.suffer(self.objects.copy_opts(from, to, options)).await
    }
}
