//! A model at the end of an engine's component, in a custom section, which WebAssembly's tools pass over.
//!
//! ```text
//! 0x00  size (LEB128)                   a custom section
//! 16  "twinwright:model"                its name, with its length before it
//! u32  settings, that many bytes        JSON
//!      model, the bytes in between
//! u32  size of the whole section, from its 0x00 on
//! "twmodel1"                            the file's last eight bytes
//! ```
//! Numbers are little-endian. The end says where the section begins, so that it is found without reading the engine.

use crate::ModelError;

const NAME: &[u8] = b"twinwright:model";
const END: &[u8; 8] = b"twmodel1";
/// Of a section of at most 4 GiB.
const SIZE_BYTES: usize = 5;

/// A model as a component carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The engine: a component as it was before the model.
    pub engine: &'a [u8],
    /// How the model's answers are read, a JSON object.
    pub settings: &'a [u8],
    /// The model.
    pub model: &'a [u8],
}

/// An engine's component with a model at its end.
///
/// # Errors
/// Engine and model are too large for one file, or the engine carries a model already.
pub fn attach(engine: &[u8], settings: &[u8], model: &[u8]) -> Result<Vec<u8>, ModelError> {
    if split(engine)?.is_some() {
        return Err(ModelError::Carried("the engine carries a model already"));
    }
    let body = 1 + NAME.len() + 4 + settings.len() + model.len() + 4 + END.len();
    let (Ok(settings_size), Ok(body_size), Ok(size)) =
        (u32::try_from(settings.len()), u32::try_from(body), u32::try_from(1 + SIZE_BYTES + body))
    else {
        return Err(ModelError::TooLarge("bytes", body, u32::MAX as usize));
    };
    let mut file = Vec::with_capacity(engine.len() + 1 + SIZE_BYTES + body);
    file.extend_from_slice(engine);
    file.push(0);
    file.extend_from_slice(&leb128(body_size));
    file.push(NAME.len() as u8);
    file.extend_from_slice(NAME);
    file.extend_from_slice(&settings_size.to_le_bytes());
    file.extend_from_slice(settings);
    file.extend_from_slice(model);
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(END);
    Ok(file)
}

/// Takes a component and its model apart; `None` where it carries none.
///
/// # Errors
/// It ends as if it carried one, but the section is damaged.
pub fn split(file: &[u8]) -> Result<Option<Carried<'_>>, ModelError> {
    let Some(file) = file.strip_suffix(END) else { return Ok(None) };
    let damaged = ModelError::Carried("its last section is damaged");
    let read = || {
        let (rest, size) = file.split_last_chunk::<4>()?;
        let start = (file.len() + END.len()).checked_sub(u32::from_le_bytes(*size) as usize)?;
        let (engine, section) = rest.split_at_checked(start)?;
        let (&[0], section) = section.split_first_chunk::<1>()? else { return None };
        let (body, section) = section.split_first_chunk::<SIZE_BYTES>()?;
        // What a tool of WebAssembly takes for the section must be the same bytes.
        if *body != leb128(u32::try_from(section.len() + 4 + END.len()).ok()?) {
            return None;
        }
        let section = section.strip_prefix(&[NAME.len() as u8])?.strip_prefix(NAME)?;
        let (settings, section) = section.split_first_chunk::<4>()?;
        let (settings, model) = section.split_at_checked(u32::from_le_bytes(*settings) as usize)?;
        Some(Carried { engine, settings, model })
    };
    read().ok_or(damaged).map(Some)
}

/// In five bytes, however small the number.
fn leb128(number: u32) -> [u8; SIZE_BYTES] {
    let mut left = number;
    std::array::from_fn(|at| {
        let byte = (left & 0x7f) as u8;
        left >>= 7;
        if at + 1 < SIZE_BYTES { byte | 0x80 } else { byte }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_model_comes_back_as_it_was_attached() {
        let file = attach(ENGINE, b"{}", b"weights").unwrap();
        assert_eq!(split(&file), Ok(Some(Carried { engine: ENGINE, settings: b"{}", model: b"weights" })));
        assert_eq!(split(ENGINE), Ok(None));
        assert!(attach(&file, b"{}", b"more").is_err(), "one file, one model");
    }

    #[test]
    fn a_damaged_section_is_refused_and_never_read_past_its_end() {
        let file = attach(ENGINE, b"{\"limit\":1}", b"weights").unwrap();
        for at in ENGINE.len()..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            if let Ok(Some(carried)) = split(&damaged) {
                // A byte of the settings or of the model: the signature's affair.
                assert_eq!((carried.engine, carried.settings.len(), carried.model.len()), (ENGINE, 11, 7));
            }
        }
        for length in 0..file.len() {
            let mut cut = file[..length].to_vec();
            assert_eq!(split(&cut), Ok(None));
            cut.extend_from_slice(END);
            if let Ok(Some(carried)) = split(&cut) {
                assert!(carried.engine.len() + carried.settings.len() + carried.model.len() < cut.len());
            }
        }
    }
}
