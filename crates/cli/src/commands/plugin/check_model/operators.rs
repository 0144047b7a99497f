//! What the engines do with each operator. Of tract: what its release 0.23.9 registers, and what was tried with models of
//! scikit-learn against onnxruntime.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use twinwright_model::{Model, TreeEnsemble};

/// Operators of ONNX itself that the engine `onnx` computes with numbers of 32 bits.
const TRACT: &str = "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast CastLike \
Ceil Clip Compress Concat Constant ConstantLike ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum \
DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather \
GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual \
GroupNormalization HardSigmoid HardSwish Hardmax Identity If InstanceNormalization IsInf IsNaN LSTM LayerNormalization \
LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul \
Neg Not OneHot Or PRelu Pad Pow QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp \
ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round Rsqrt Scan \
ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth \
Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor";
/// Operators of `ai.onnx.ml` that tract has and that answered as onnxruntime did.
const TRACT_ML: &str = "CategoryMapper LinearClassifier LinearRegressor Normalizer";
/// What changes no number beside an ensemble of trees.
const AROUND_TREES: [&str; 3] = ["Cast", "Identity", "ZipMap"];

/// What is to be done with an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    /// The engine computes it.
    Supported,
    /// Another export has the same answers.
    Replaceable,
    /// Nothing here computes it.
    Unsupported,
}

/// An operator of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    operator: String,
    times: usize,
    pub(super) verdict: Verdict,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    instead: String,
}

/// All operators, and the engine for them.
#[derive(Debug)]
pub(super) struct Verdicts {
    pub(super) engine: Option<&'static str>,
    pub(super) operators: Vec<Found>,
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Supported => "supported",
            Verdict::Replaceable => "replaceable",
            Verdict::Unsupported => "unsupported",
        };
        write!(out, "  {verdict:11}  {:3} × {}", self.times, self.operator)?;
        if self.instead.is_empty() { Ok(()) } else { write!(out, "\n               {}", self.instead) }
    }
}

/// Looks at every operator of the main graph.
pub(super) fn verdicts(model: &Model) -> Verdicts {
    let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for operator in &model.operators {
        *times.entry((&operator.domain, &operator.kind)).or_default() += 1;
    }
    let trees: Vec<_> =
        model.operators.iter().filter(|operator| operator.kind.starts_with("TreeEnsemble")).collect();
    let only_trees = trees.len() == 1
        && model.operators.iter().all(|other| {
            AROUND_TREES.contains(&other.kind.as_str()) || other.kind.starts_with("TreeEnsemble")
        });
    let engine = if only_trees { "tree-ensemble" } else { "onnx" };
    let found = |(&(domain, kind), &times): (&(&str, &str), &usize)| {
        let (verdict, instead) = if only_trees {
            match trees.iter().find(|tree| tree.kind == kind).map(|tree| TreeEnsemble::read(tree)) {
                Some(Err(error)) => (Verdict::Unsupported, error.to_string()),
                _ => (Verdict::Supported, String::new()),
            }
        } else {
            of_tract(domain, kind)
        };
        let operator = if domain.is_empty() { kind.to_owned() } else { format!("{domain}.{kind}") };
        Found { operator, times, verdict, instead }
    };
    let operators: Vec<Found> = times.iter().map(found).collect();
    let readable = operators.iter().all(|operator| operator.verdict == Verdict::Supported);
    Verdicts { engine: readable.then_some(engine), operators }
}

fn of_tract(domain: &str, kind: &str) -> (Verdict, String) {
    let listed = |list: &str| list.split_whitespace().any(|known| known == kind);
    let replace = |instead: &str| (Verdict::Replaceable, instead.to_owned());
    match (domain, kind) {
        ("" | "ai.onnx", _) if listed(TRACT) => (Verdict::Supported, String::new()),
        ("ai.onnx.ml", _) if listed(TRACT_ML) => (Verdict::Supported, String::new()),
        ("ai.onnx.ml", "Scaler") => replace("export with skl2onnx.to_onnx(model, row, black_op={'Scaler'})"),
        ("ai.onnx.ml", "ZipMap") => {
            replace("export with skl2onnx.to_onnx(model, row, options={'zipmap': False})")
        }
        ("ai.onnx.ml", "Imputer") => replace(
            "leave the imputer out of the pipeline: the engine puts the baseline's mean where a value is absent",
        ),
        ("ai.onnx.ml", "TreeEnsembleClassifier" | "TreeEnsembleRegressor" | "TreeEnsemble") => replace(
            "export the ensemble alone, without scalers (trees need none), for the engine tree-ensemble; an isolation \
             forest with the export.py of: twinwright plugin new NAME --lang trees",
        ),
        ("ai.onnx.ml", "SVMRegressor" | "SVMClassifier") => (
            Verdict::Unsupported,
            "train a Gaussian mixture, an autoencoder or an isolation forest in its place".to_owned(),
        ),
        ("ai.onnx.ml", "LabelEncoder" | "ArrayFeatureExtractor") => {
            replace("export the numbers alone: probabilities or the raw score, without labels")
        }
        _ => (Verdict::Unsupported, "export the model without it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use twinwright_model::Operator;

    use super::*;

    fn model(kinds: &[(&str, &str)]) -> Model {
        let operator = |(domain, kind): &(&str, &str)| Operator {
            domain: (*domain).to_owned(),
            kind: (*kind).to_owned(),
            attributes: Vec::new(),
        };
        Model { operators: kinds.iter().map(operator).collect(), ..Model::default() }
    }

    #[test]
    fn each_operator_is_supported_replaceable_or_not() {
        let found = verdicts(&model(&[("", "Gemm"), ("", "Gemm"), ("", "Tanh")]));
        assert_eq!((found.engine, found.operators.len()), (Some("onnx"), 2));
        let found = verdicts(&model(&[("ai.onnx.ml", "Scaler"), ("", "MatMul")]));
        assert_eq!(found.engine, None);
        assert!(found.operators.iter().any(|one| one.to_string().contains("black_op={'Scaler'}")));
        let found = verdicts(&model(&[("ai.onnx.ml", "SVMRegressor")]));
        assert_eq!(found.operators[0].verdict, Verdict::Unsupported);
        let found = verdicts(&model(&[("ai.onnx.ml", "Scaler"), ("ai.onnx.ml", "TreeEnsembleRegressor")]));
        assert!(found.operators.iter().all(|one| one.verdict == Verdict::Replaceable));
    }

    #[test]
    fn trees_that_the_table_refuses_are_told_with_its_words() {
        let found = verdicts(&model(&[("ai.onnx.ml", "TreeEnsembleRegressor")]));
        assert_eq!(found.engine, None);
        assert!(found.operators[0].to_string().contains("attribute"), "{}", found.operators[0]);
    }
}
