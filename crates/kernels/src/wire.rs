//! The packed little-endian buffers of the scorer contract (`wasm-modules/wit/scorer.wit`), for guests in Rust.

use std::borrow::Cow;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::batch::{AnswerMut, Batch};
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

const _: () = assert!(cfg!(target_endian = "little"), "the contract's buffers are read in place");

/// Numbers of a packed buffer.
pub trait Packed: FromBytes + IntoBytes + Immutable + Copy {
    /// The numbers, in place where the buffer is aligned to them; `None` where a number is cut short.
    fn view(bytes: &[u8]) -> Option<Cow<'_, [Self]>> {
        if !bytes.len().is_multiple_of(size_of::<Self>()) {
            return None;
        }
        Some(match <[Self]>::ref_from_bytes(bytes) {
            Ok(numbers) => Cow::Borrowed(numbers),
            Err(_) => bytes
                .chunks_exact(size_of::<Self>())
                .filter_map(|number| Self::read_from_bytes(number).ok())
                .collect(),
        })
    }

    /// The bytes of numbers, in place.
    fn bytes(values: &[Self]) -> &[u8] {
        values.as_bytes()
    }
}

impl Packed for u32 {}
impl Packed for i64 {}
impl Packed for f64 {}

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
    let mut scored = PackedScored {
        scores: vec![0; device.len() * size_of::<f64>()],
        status: vec![0; device.len()],
        contributions: vec![0; size_of_val(&*values)],
        state: Vec::with_capacity(batch.state.len()),
        state_ends: vec![0; size_of_val(&*state_ends)],
    };
    let mut scores = Lent::of(&mut scored.scores);
    let mut contributions = Lent::of(&mut scored.contributions);
    let mut ends = Lent::of(&mut scored.state_ends);
    let answer = AnswerMut {
        scores: scores.numbers(),
        status: &mut scored.status,
        contributions: contributions.numbers(),
        state: &mut scored.state,
        state_ends: ends.numbers(),
    };
    kernel.score_into(&batch, answer).map_err(|error| error.to_string())?;
    scores.give_back();
    contributions.give_back();
    ends.give_back();
    Ok(scored)
}

/// A packed buffer to be filled with numbers, in place where it is aligned to them.
enum Lent<'a, T> {
    InPlace(&'a mut [T]),
    Beside { numbers: Vec<T>, bytes: &'a mut [u8] },
}

impl<'a, T: Packed> Lent<'a, T> {
    fn of(bytes: &'a mut [u8]) -> Self {
        match <[T]>::mut_from_bytes(bytes) {
            Ok(numbers) => Self::InPlace(numbers),
            Err(error) => {
                let bytes = error.into_src();
                Self::Beside { numbers: vec![T::new_zeroed(); bytes.len() / size_of::<T>()], bytes }
            }
        }
    }

    fn numbers(&mut self) -> &mut [T] {
        match self {
            Self::InPlace(numbers) => numbers,
            Self::Beside { numbers, .. } => numbers,
        }
    }

    fn give_back(self) {
        if let Self::Beside { numbers, bytes } = self {
            bytes.copy_from_slice(T::bytes(&numbers));
        }
    }
}

fn field<'a, T: Packed>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [T]>, String> {
    T::view(bytes).ok_or_else(|| format!("the batch's {name} ends within a number"))
}

/// Makes a crate the WebAssembly guest of one kernel. The crate needs `wit-bindgen` and the contract, in `../wit` unless
/// another folder is named.
#[macro_export]
macro_rules! export_scorer {
    ($kernel:ty) => {
        $crate::export_scorer!($kernel, "../wit");
    };
    ($kernel:ty, $contract:literal) => {
        wit_bindgen::generate!({ path: $contract, world: "scorer" });

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_bytes_hold_the_numbers_whether_they_are_aligned_or_not() {
        let numbers = [1.5_f64, -2.0, f64::MAX];
        for start in 0..8 {
            let mut memory = vec![0; 8 * numbers.len() + 8];
            let mut lent = Lent::of(&mut memory[start..][..8 * numbers.len()]);
            assert_eq!(lent.numbers(), [0.0; 3]);
            lent.numbers().copy_from_slice(&numbers);
            lent.give_back();
            assert_eq!(&memory[start..][..8 * numbers.len()], f64::bytes(&numbers), "from byte {start}");
        }
        Lent::<u32>::of(&mut []).give_back();
    }
}
