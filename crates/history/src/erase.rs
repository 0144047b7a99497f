//! Erasure of a device's data on request. The numbered documents `erasures/v=1/hub=<hub>/000000001.json` say whose rows
//! are history no longer, so a segment that comes back by a replay stays erased.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twinwright_core::time::Micros;

use crate::StoreError;
use crate::names::hub_folder;
use crate::numbered::NumberedDocuments;
use crate::store::Store;

/// A device whose rows are erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Device id.
    pub device: String,
    /// Rows enqueued before this are erased; what the device sends later is kept.
    pub before: Micros,
}

/// All erasures of a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// Number of the document, 0 where nothing was erased.
    #[serde(skip)]
    pub number: u64,
    /// By device.
    pub erased: Vec<Erased>,
}

impl Erasures {
    /// The erasures that rule.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn latest(store: &Store, hub: &str) -> Result<Self, StoreError> {
        let documents = documents(store, hub);
        let Some((number, bytes)) = documents.latest().await? else { return Ok(Self::default()) };
        let mut erasures: Self = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::corrupt(&documents.path(number), error))?;
        erasures.number = number;
        Ok(erasures)
    }

    /// Records that a device's rows enqueued before a time are erased, and says what rules then. Readers leave them out
    /// from now on; the next compaction writes the days without them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record(store: &Store, hub: &str, device: &str, before: Micros) -> Result<Self, StoreError> {
        let documents = documents(store, hub);
        let mut broken = None;
        let decide = |latest: Option<(u64, &Bytes)>| {
            let parsed = latest.map_or_else(|| Ok(Self::default()), |(_, bytes)| serde_json::from_slice(bytes));
            let mut erasures: Self = match parsed {
                Ok(erasures) => erasures,
                Err(error) => {
                    broken = Some(error.to_string());
                    return None;
                }
            };
            match erasures.erased.iter_mut().find(|erased| erased.device == device) {
                Some(erased) if erased.before >= before => return None,
                Some(erased) => erased.before = before,
                None => erasures.erased.push(Erased { device: device.to_owned(), before }),
            }
            serde_json::to_vec(&erasures).ok().map(Bytes::from)
        };
        documents.append(decide).await?;
        match broken {
            Some(cause) => Err(StoreError::corrupt(&hub_folder("erasures", hub), cause)),
            None => Self::latest(store, hub).await,
        }
    }

    /// Before when a device's rows are erased.
    pub fn before(&self, device: &str) -> Option<Micros> {
        self.erased.iter().find(|erased| erased.device == device).map(|erased| erased.before)
    }
}

fn documents(store: &Store, hub: &str) -> NumberedDocuments {
    NumberedDocuments::new(store.clone(), hub_folder("erasures", hub))
}
