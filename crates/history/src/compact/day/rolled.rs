//! Roll-ups of one grain on their way into files.

use super::super::sort::PIECE;
use super::ROLL_UP_BYTES;
use crate::StoreError;
use crate::compact::RollUpRows;
use crate::output::{Finished, PartPool, RollUpFile};
use crate::registry::Registry;
use crate::table::Names;

/// See the module.
pub(super) struct Rolled {
    pub(super) file: RollUpFile,
    hub: String,
    grain: &'static str,
    parts: PartPool,
}

impl Rolled {
    pub(super) fn new(hub: &str, grain: &'static str, parts: &PartPool) -> Result<Self, StoreError> {
        let file = RollUpFile::new(hub, grain, parts)?;
        Ok(Self { file, hub: hub.to_owned(), grain, parts: parts.clone() })
    }

    /// Writes whole row groups, or all at the end.
    pub(super) fn take(
        &mut self,
        rows: &mut RollUpRows,
        names: &Names,
        registry: &Registry,
        end: bool,
    ) -> Result<(), StoreError> {
        if rows.rows() >= PIECE || (end && rows.rows() > 0) {
            self.file.write(rows, &names.devices, registry)?;
            rows.clear();
        }
        Ok(())
    }

    pub(super) fn full(&mut self) -> Result<Option<Finished>, StoreError> {
        if self.file.bytes() < ROLL_UP_BYTES {
            return Ok(None);
        }
        let next = RollUpFile::new(&self.hub, self.grain, &self.parts)?;
        std::mem::replace(&mut self.file, next).finish().map(Some)
    }
}
