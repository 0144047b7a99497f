//! Bytes of a file in parts, so that growing copies nothing, and memory for them that is used again.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

const PART: usize = 4 << 20;

/// Parts that are done with; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPool(Arc<Mutex<Vec<BytesMut>>>);

impl PartPool {
    /// Takes parts that nobody reads any longer.
    pub(crate) fn take_back(&self, parts: Vec<Bytes>) {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.extend(parts.into_iter().filter_map(|part| part.try_into_mut().ok()).map(|mut part| {
            part.clear();
            part
        }));
    }

    fn part(&self) -> BytesMut {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.pop().unwrap_or_default()
    }
}

/// Takes what is written.
#[derive(Debug)]
pub(super) struct Parts {
    full: Vec<Bytes>,
    open: BytesMut,
    pool: PartPool,
}

impl Parts {
    pub(super) fn new(pool: &PartPool) -> Self {
        Self { full: Vec::new(), open: pool.part(), pool: pool.clone() }
    }

    /// Gives all parts out.
    pub(super) fn finish(&mut self) -> Vec<Bytes> {
        let mut parts = std::mem::take(&mut self.full);
        parts.push(std::mem::take(&mut self.open).freeze());
        parts
    }

    /// Moves what is there to a caller who writes the file as it grows.
    pub(super) fn drain(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        for part in self.full.drain(..) {
            out.write_all(&part)?;
        }
        out.write_all(&self.open)?;
        self.open.clear();
        Ok(())
    }
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.open.len() + bytes.len() > PART && !self.open.is_empty() {
            self.full.push(std::mem::replace(&mut self.open, self.pool.part()).freeze());
        }
        self.open.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
