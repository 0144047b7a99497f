//! The scorer `remaining-life`: the kernel of the same name behind the scorer contract.
//!
//! Its baseline is a model of remaining life. Its score is `limit / what remains`, so whoever knows the model's limit
//! has the estimate.

use std::cell::RefCell;

use twinwright_kernels::RemainingLife;
use twinwright_kernels::life::LifeModel;
use twinwright_kernels::wire::{PackedBatch, score_packed_with};

wit_bindgen::generate!({ path: "../wit", world: "scorer" });

use crate::exports::twinwright::scoring::scoring::{Batch, Descriptor, Guest, Scored};

thread_local! {
    /// What `prepare` built. Nothing of a device is kept here: state goes in and out with each batch.
    static PREPARED: RefCell<Option<RemainingLife>> = const { RefCell::new(None) };
}

struct Scorer;

impl Guest for Scorer {
    fn describe() -> Descriptor {
        Descriptor {
            name: RemainingLife::NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_format: 1,
            deterministic: true,
        }
    }

    fn prepare(baseline: Vec<u8>) -> Result<(), String> {
        let model = LifeModel::from_json(&baseline).map_err(|error| error.to_string())?;
        let kernel = RemainingLife::new(model).map_err(|error| error.to_string())?;
        PREPARED.set(Some(kernel));
        Ok(())
    }

    fn score(batch: Batch) -> Result<Scored, String> {
        let packed = PackedBatch {
            signals: batch.signals,
            device: &batch.device,
            time: &batch.time,
            values: &batch.values,
            mask: &batch.mask,
            state: &batch.state,
            state_ends: &batch.state_ends,
        };
        PREPARED.with_borrow_mut(|prepared| {
            let kernel = prepared.as_mut().ok_or("score was called before prepare")?;
            let scored = score_packed_with(&packed, |batch| kernel.score(batch))?;
            Ok(Scored {
                scores: scored.scores,
                status: scored.status,
                contributions: scored.contributions,
                state: scored.state,
                state_ends: scored.state_ends,
            })
        })
    }
}

export!(Scorer);
