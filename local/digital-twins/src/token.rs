//! The bearer token: generated once, kept in the folder, readable by the user alone.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

/// Tokens that open the service.
#[derive(Debug)]
pub(crate) struct Tokens {
    accepted: Vec<String>,
    pub(crate) file: PathBuf,
}

impl Tokens {
    /// Reads the token of the folder, or creates one.
    pub(crate) fn open(folder: &Path, extra: Vec<String>) -> io::Result<Self> {
        let file = folder.join("twins.token");
        let mut token = String::new();
        match OpenOptions::new().read(true).open(&file) {
            Ok(mut reader) => {
                reader.read_to_string(&mut token)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut token = token.trim().to_owned();
        if token.len() < 32 {
            token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(&file)?.write_all(token.as_bytes())?;
        }
        let mut accepted = vec![token];
        accepted.extend(extra.into_iter().filter(|token| !token.is_empty()));
        Ok(Self { accepted, file })
    }

    pub(crate) fn generated(&self) -> &str {
        &self.accepted[0]
    }

    /// Checks an `Authorization` header, in a time that does not tell how much of a token was right.
    pub(crate) fn accepts(&self, header: Option<&str>) -> bool {
        let Some((scheme, given)) = header.and_then(|header| header.split_once(' ')) else { return false };
        let given = given.trim().as_bytes();
        let mut matches = false;
        for token in &self.accepted {
            matches |= bool::from(token.as_bytes().ct_eq(given));
        }
        scheme.eq_ignore_ascii_case("bearer") && matches
    }
}
