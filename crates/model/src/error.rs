//! Why a model is refused.

use std::fmt;

/// Why a model is refused; the text says what was found and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelError {
    /// The bytes are no ONNX file, or a damaged one.
    Damaged(&'static str),
    /// Something is larger than what is read: what, how much there is, and the limit.
    TooLarge(&'static str, usize, usize),
    /// An attribute is missing, or is of another kind than the operator's page says.
    Attribute(&'static str),
    /// The model asks for what is not done here: the attribute, and its value.
    Unsupported(&'static str, String),
    /// The file that carries the model is not made right.
    Carried(&'static str),
    /// The trees are not trees: what is wrong, and at which node in the order of the file.
    Tree(&'static str, usize),
}

impl fmt::Display for ModelError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(out, "the file is no readable onnx model ({why}); export it again"),
            Self::TooLarge(what, found, limit) => {
                write!(out, "the model has {found} {what}, at most {limit} are read; train a smaller model")
            }
            Self::Attribute(name) => write!(
                out,
                "the attribute {name} is missing or of the wrong kind or length; export the model again"
            ),
            Self::Unsupported(name, value) => {
                write!(out, "{name} = {value:?} is not supported; export the model without it")
            }
            Self::Carried(why) => write!(out, "{why}; build it again with: twinwright plugin build"),
            Self::Tree(why, node) => write!(out, "node {node} of the trees: {why}; export the model again"),
        }
    }
}

impl std::error::Error for ModelError {}
