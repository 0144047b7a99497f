//! The packed little-endian buffers of the scorer contract (`wasm-modules/wit/scorer.wit`), for guests in Rust.

use crate::batch::Batch;
use crate::scorer::ScorerKernel;

/// The batch as it crosses the border.
#[derive(Clone, Copy, Debug)]
pub struct PackedBatch<'a> {
    /// Number of signals S.
    pub signals: u32,
    /// u32 × R.
    pub device: &'a [u8],
    /// i64 × R.
    pub time: &'a [u8],
    /// f64 × R·S.
    pub values: &'a [u8],
    /// u8 × R·S.
    pub mask: &'a [u8],
    /// Blobs.
    pub state: &'a [u8],
    /// u32 × D.
    pub state_ends: &'a [u8],
}

/// The answer as it crosses the border.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedScored {
    /// f64 × R.
    pub scores: Vec<u8>,
    /// u8 × R.
    pub status: Vec<u8>,
    /// f64 × R·S.
    pub contributions: Vec<u8>,
    /// Blobs.
    pub state: Vec<u8>,
    /// u32 × D.
    pub state_ends: Vec<u8>,
}

/// Numbers of a packed buffer; `None` where a number is cut short.
pub trait Packed: Sized + Copy {
    /// Reads all numbers.
    fn unpack(bytes: &[u8]) -> Option<Vec<Self>>;
    /// Writes all numbers.
    fn pack(values: &[Self]) -> Vec<u8>;
}

macro_rules! packed {
    ($($number:ty, $size:literal);*) => {$(
        impl Packed for $number {
            fn unpack(bytes: &[u8]) -> Option<Vec<Self>> {
                let (numbers, rest) = bytes.as_chunks::<$size>();
                rest.is_empty().then(|| numbers.iter().map(|number| Self::from_le_bytes(*number)).collect())
            }

            fn pack(values: &[Self]) -> Vec<u8> {
                let mut bytes = vec![0; values.len() * $size];
                for (number, value) in bytes.as_chunks_mut::<$size>().0.iter_mut().zip(values) {
                    *number = value.to_le_bytes();
                }
                bytes
            }
        }
    )*};
}
packed!(u32, 4; i64, 8; f64, 8);

/// Unpacks, scores and packs again.
///
/// # Errors
/// The rule that the batch breaks, in words.
pub fn score_packed<K: ScorerKernel>(
    kernel: &mut K,
    batch: &PackedBatch<'_>,
) -> Result<PackedScored, String> {
    let device = field("device", batch.device)?;
    let time = field("time", batch.time)?;
    let values = field("values", batch.values)?;
    let state_ends = field("state-ends", batch.state_ends)?;
    let batch = Batch {
        signals: batch.signals as usize,
        device: &device,
        time: &time,
        values: &values,
        mask: batch.mask,
        state: batch.state,
        state_ends: &state_ends,
    };
    let answer = kernel.score(&batch).map_err(|error| error.to_string())?;
    Ok(PackedScored {
        scores: f64::pack(&answer.scores),
        status: answer.status,
        contributions: f64::pack(&answer.contributions),
        state: answer.state,
        state_ends: u32::pack(&answer.state_ends),
    })
}

fn field<T: Packed>(name: &str, bytes: &[u8]) -> Result<Vec<T>, String> {
    T::unpack(bytes).ok_or_else(|| format!("the batch's {name} ends within a number"))
}

/// Makes a crate the WebAssembly guest of one kernel. The crate needs `wit-bindgen` and the contract in `../wit`.
#[macro_export]
macro_rules! export_scorer {
    ($kernel:ty) => {
        wit_bindgen::generate!({ path: "../wit", world: "scorer" });

        use exports::twinwright::scoring::scoring::{Batch, Descriptor, Guest, Scored};

        ::std::thread_local! {
            /// What `prepare` built. Nothing of a device is kept here: state goes in and out with each batch.
            static PREPARED: ::std::cell::RefCell<Option<$kernel>> = const { ::std::cell::RefCell::new(None) };
        }

        struct Scorer;

        impl Guest for Scorer {
            fn describe() -> Descriptor {
                Descriptor {
                    name: <$kernel as $crate::ScorerKernel>::NAME.to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    state_format: 1,
                    deterministic: true,
                }
            }

            fn prepare(baseline: Vec<u8>) -> Result<(), String> {
                let kernel = <$kernel as $crate::ScorerKernel>::prepare(&baseline);
                PREPARED.set(Some(kernel.map_err(|error| error.to_string())?));
                Ok(())
            }

            fn score(batch: Batch) -> Result<Scored, String> {
                let packed = $crate::wire::PackedBatch {
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
                    let scored = $crate::wire::score_packed(kernel, &packed)?;
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
    };
}
