//! The encoding of Protocol Buffers ("Encoding" in its documentation), borrowed from the bytes and never recursive.

use crate::ModelError;

/// The value of one field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of one message, in the order of the bytes.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number and value; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, ModelError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => {
                self.take(8)?;
                Value::Fixed64
            }
            2 => {
                let length =
                    usize::try_from(varint(&mut self.0)?).map_err(|_| ModelError::Damaged("a length"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?;
                Value::Fixed32(bytes.try_into().map_err(|_| ModelError::Damaged("it ends too early"))?)
            }
            _ => return Err(ModelError::Damaged("an unknown kind of field")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ModelError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(ModelError::Damaged("it ends too early"))?;
        self.0 = tail;
        Ok(head)
    }
}

/// Takes one number of variable length from the front of `bytes`.
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, ModelError> {
    let mut number = 0_u64;
    for place in 0..10 {
        let (&byte, tail) = bytes.split_first().ok_or(ModelError::Damaged("it ends too early"))?;
        *bytes = tail;
        if place == 9 && byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ModelError::Damaged("a number of more than 64 bits"))
}
