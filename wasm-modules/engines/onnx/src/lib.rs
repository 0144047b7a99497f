//! The engine `onnx`: neural networks, linear models, principal components, clusters and mixtures from ONNX files, by
//! tract. The model has one input of numbers, `[rows, signals]` or `[rows, window, signals]`; of its outputs those count
//! that are numbers of 32 bits (labels do not).

use std::io::Cursor;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike as _, bail, ensure};
use tract_onnx::tract_hir::infer::Factoid as _;
use twinwright_kernels::{Engine, ModelKernel};

/// What tract's random operators would ask. A scorer has no chance: the same rows give the same scores.
#[unsafe(no_mangle)]
extern "Rust" fn __getrandom_v03_custom(_: *mut u8, _: usize) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}

struct Onnx {
    plan: Arc<TypedRunnableModel>,
    shape: Vec<usize>,
}

impl Onnx {
    fn read(model: &[u8], signals: usize) -> TractResult<Self> {
        let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(model))?;
        let inputs = model.input_outlets()?.len();
        ensure!(inputs == 1, "it has {inputs} inputs, one is asked for");
        let fact = model.input_fact(0)?;
        let size = |at: usize| {
            let size = fact.shape.dim(at).and_then(|size| size.concretize()).and_then(|size| size.to_usize().ok());
            size.filter(|size| *size > 0)
        };
        let shape = match fact.shape.rank().concretize() {
            Some(2) => vec![1, signals],
            Some(3) => {
                let Some(window) = size(1) else {
                    bail!("its window (the second size of its input) must be a number");
                };
                vec![1, window, signals]
            }
            _ => bail!("its input must be [rows, signals] or [rows, window, signals]"),
        };
        if let Some(wanted) = size(shape.len() - 1) {
            ensure!(
                wanted == signals,
                "it takes rows of {wanted} signals, the baseline has {signals}"
            );
        }
        let mut model = model.with_input_fact(0, f32::fact(&shape).into())?;
        model.analyse(false)?;
        let outputs = model.output_outlets()?.to_vec();
        let is_number = |at: &usize| {
            model.output_fact(*at).is_ok_and(|fact| fact.datum_type.concretize() == Some(f32::datum_type()))
        };
        let numbers: Vec<_> = (0..outputs.len()).filter(is_number).map(|at| outputs[at]).collect();
        ensure!(!numbers.is_empty(), "none of its outputs is a number of 32 bits");
        model.select_output_outlets(&numbers)?;
        let plan = model.into_optimized()?.into_runnable()?;
        Ok(Self { plan, shape })
    }
}

impl Engine for Onnx {
    const NAME: &'static str = "onnx";

    fn open(model: &[u8], signals: usize) -> Result<Self, String> {
        Self::read(model, signals).map_err(|error| format!("{error:#}"))
    }

    fn window(&self) -> usize {
        if self.shape.len() == 3 { self.shape[1] } else { 1 }
    }

    fn answer(&mut self, window: &[f32], outputs: &mut Vec<f32>) -> Result<(), String> {
        let mut run = || -> TractResult<()> {
            let input = Tensor::from_shape(&self.shape, window)?;
            for output in self.plan.run(tvec!(input.into_tvalue()))? {
                outputs.extend(output.to_plain_array_view::<f32>()?.iter());
            }
            Ok(())
        };
        run().map_err(|error| format!("{error:#}"))
    }
}

twinwright_kernels::export_scorer!(ModelKernel<Onnx>, "../../wit");
