//! The engine `tree-ensemble`: forests and boosted trees of ONNX, walked as a table. A new model costs no compiling.

use twinwright_kernels::{Engine, ModelKernel};
use twinwright_model::{Model, TreeEnsemble};

/// Operators around the trees that do not change a number.
const PASSED_OVER: [&str; 3] = ["Cast", "Identity", "ZipMap"];

struct Trees {
    ensemble: TreeEnsemble,
}

impl Engine for Trees {
    const NAME: &'static str = "tree-ensemble";

    fn open(model: &[u8], signals: usize) -> Result<Self, String> {
        let model = Model::read(model).map_err(|error| error.to_string())?;
        let mut found = None;
        for operator in &model.operators {
            match operator.kind.as_str() {
                "TreeEnsembleRegressor" | "TreeEnsembleClassifier" if found.is_none() => found = Some(operator),
                kind if PASSED_OVER.contains(&kind) => {}
                kind => {
                    return Err(format!(
                        "the operator {kind} is not one that this engine knows beside one ensemble of trees; \
                         see: twinwright plugin check-model"
                    ));
                }
            }
        }
        let operator = found.ok_or("there are no trees in it; the engine onnx may read it")?;
        let ensemble = TreeEnsemble::read(operator).map_err(|error| error.to_string())?;
        if ensemble.features() > signals {
            return Err(format!("it looks at {} signals, the baseline has {signals}", ensemble.features()));
        }
        Ok(Self { ensemble })
    }

    fn answer(&mut self, window: &[f32], outputs: &mut Vec<f32>) -> Result<(), String> {
        outputs.extend(self.ensemble.evaluate(window).ok_or("a row is too short")?);
        Ok(())
    }
}

twinwright_kernels::export_scorer!(ModelKernel<Trees>, "../../wit");
