//! The part of `ModelProto` that is read: the graph's nodes and their attributes (onnx.proto of the ONNX project).

use crate::ModelError;
use crate::wire::{Fields, Value, varint};

/// The most bytes of a model that are read.
pub const MAX_BYTES: usize = 32 << 20;
/// The most operators of a model that are read.
pub const MAX_OPERATORS: usize = 10_000;
/// The most attributes of an operator: an empty one is two bytes in the file and many in memory.
const MAX_ATTRIBUTES: usize = 64;

/// One attribute of an operator; tensors and subgraphs are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// The one whole number, where it has one.
    pub int: Option<i64>,
    /// The one text, where it has one.
    pub text: Option<String>,
    /// Whole numbers, in order.
    pub ints: Vec<i64>,
    /// Numbers, in order.
    pub floats: Vec<f32>,
    /// Texts, in order.
    pub texts: Vec<String>,
}

/// One operator of the graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operator {
    /// The operator set: empty for ONNX itself, `ai.onnx.ml` for classical models.
    pub domain: String,
    /// What it does, such as `Gemm`.
    pub kind: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

/// A value that the graph takes in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its sizes; nothing where a size is left open.
    pub sizes: Vec<Option<i64>>,
}

/// What was read of an ONNX file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// What the main graph takes in; weights may be among it in old files.
    pub inputs: Vec<Input>,
    /// The operators of the main graph, in its order; those of subgraphs are not among them.
    pub operators: Vec<Operator>,
}

impl Operator {
    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

impl Model {
    /// Reads the bytes of an `.onnx` file.
    ///
    /// # Errors
    /// The bytes are too many, damaged, or hold no graph with operators.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > MAX_BYTES {
            return Err(ModelError::TooLarge("bytes", bytes.len(), MAX_BYTES));
        }
        let mut model = Self::default();
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            if let (7, Value::Bytes(graph)) = field {
                model.read_graph(graph)?;
            }
        }
        if model.operators.is_empty() {
            return Err(ModelError::Damaged("it has no operators"));
        }
        Ok(model)
    }

    fn read_graph(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(_)) if self.operators.len() == MAX_OPERATORS => {
                    return Err(ModelError::TooLarge("operators or more", MAX_OPERATORS + 1, MAX_OPERATORS));
                }
                (1, Value::Bytes(node)) => self.operators.push(read_operator(node)?),
                (11, Value::Bytes(_)) if self.inputs.len() == MAX_OPERATORS => {
                    return Err(ModelError::TooLarge("inputs or more", MAX_OPERATORS + 1, MAX_OPERATORS));
                }
                (11, Value::Bytes(input)) => self.inputs.push(read_input(input)?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A `ValueInfoProto`: its name, and of its type the tensor's sizes.
fn read_input(bytes: &[u8]) -> Result<Input, ModelError> {
    let mut input = Input::default();
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(name)) => input.name = text(name)?,
            (2, Value::Bytes(kind)) => {
                // TypeProto, its tensor_type, and that one's shape.
                let Some(tensor) = message(kind, 1)? else { continue };
                let Some(shape) = message(tensor, 2)? else { continue };
                input.sizes = sizes(shape)?;
            }
            _ => {}
        }
    }
    Ok(input)
}

fn sizes(shape: &[u8]) -> Result<Vec<Option<i64>>, ModelError> {
    let (mut sizes, mut dimensions) = (Vec::new(), Fields(shape));
    while let Some(field) = dimensions.next()? {
        if let (1, Value::Bytes(dimension)) = field {
            if sizes.len() == MAX_ATTRIBUTES {
                return Err(ModelError::TooLarge("sizes or more", MAX_ATTRIBUTES + 1, MAX_ATTRIBUTES));
            }
            let (mut size, mut fields) = (None, Fields(dimension));
            while let Some(field) = fields.next()? {
                if let (1, Value::Varint(number)) = field {
                    size = Some(number.cast_signed());
                }
            }
            sizes.push(size);
        }
    }
    Ok(sizes)
}

/// The last message of a field's number.
fn message(bytes: &[u8], number: u64) -> Result<Option<&[u8]>, ModelError> {
    let (mut found, mut fields) = (None, Fields(bytes));
    while let Some(field) = fields.next()? {
        match field {
            (at, Value::Bytes(bytes)) if at == number => found = Some(bytes),
            _ => {}
        }
    }
    Ok(found)
}

fn read_operator(bytes: &[u8]) -> Result<Operator, ModelError> {
    let mut operator = Operator::default();
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (4, Value::Bytes(kind)) => operator.kind = text(kind)?,
            (5, Value::Bytes(_)) if operator.attributes.len() == MAX_ATTRIBUTES => {
                return Err(ModelError::TooLarge(
                    "attributes or more at an operator",
                    MAX_ATTRIBUTES + 1,
                    MAX_ATTRIBUTES,
                ));
            }
            (5, Value::Bytes(attribute)) => operator.attributes.push(read_attribute(attribute)?),
            (7, Value::Bytes(domain)) => operator.domain = text(domain)?,
            _ => {}
        }
    }
    Ok(operator)
}

fn read_attribute(bytes: &[u8]) -> Result<Attribute, ModelError> {
    let mut attribute = Attribute::default();
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(name)) => attribute.name = text(name)?,
            (3, Value::Varint(int)) => attribute.int = Some(int.cast_signed()),
            (4, Value::Bytes(words)) => attribute.text = Some(text(words)?),
            (7, Value::Fixed32(float)) => attribute.floats.push(f32::from_le_bytes(float)),
            (7, Value::Bytes(packed)) => {
                let (floats, rest) = packed.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(ModelError::Damaged("packed numbers"));
                }
                attribute.floats.extend(floats.iter().map(|float| f32::from_le_bytes(*float)));
            }
            (8, Value::Varint(int)) => attribute.ints.push(int.cast_signed()),
            (8, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    attribute.ints.push(varint(&mut packed)?.cast_signed());
                }
            }
            (9, Value::Bytes(words)) => attribute.texts.push(text(words)?),
            _ => {}
        }
    }
    Ok(attribute)
}

fn text(bytes: &[u8]) -> Result<String, ModelError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ModelError::Damaged("a text that is not utf-8"))
}
