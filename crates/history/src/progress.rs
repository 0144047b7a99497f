//! How far a long work is, for whoever waits for it.

use std::sync::{Arc, Mutex, PoisonError};

/// What a work is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It finds out what there is to do.
    #[default]
    Looking,
    /// Segments and day files are read; counted in bytes.
    Reading,
    /// Segments are searched for rows of an erased device; counted in segments.
    Erasing,
}

/// Where a work stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The stage, and so the unit.
    pub stage: Stage,
    /// What is done of it.
    pub done: u64,
    /// All there is to do in it.
    pub of: u64,
}

/// Told by the work, asked by others at any time; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Standing>>);

impl Progress {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, stage: Stage, of: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Standing { stage, done: 0, of };
    }

    pub(crate) fn add(&self, done: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).done += done;
    }
}
