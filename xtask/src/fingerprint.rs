//! Fingerprints of sources: what is unchanged is not built or installed again.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Folders that hold products, not sources.
const PRODUCTS: [&str; 4] = ["target", ".git", "node_modules", "__pycache__"];

/// SHA-256 over paths and contents of all files below the folders, in hexadecimal. What is missing counts as empty.
pub(crate) fn of_folders(root: &Path, folders: &[&str]) -> io::Result<String> {
    let mut hash = Sha256::new();
    for folder in folders {
        for path in files_below(&root.join(folder), &|name| !PRODUCTS.contains(&name))? {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            add(&mut hash, name.as_bytes());
            add(&mut hash, &std::fs::read(&path)?);
        }
    }
    Ok(text(hash))
}

/// SHA-256 over some texts, in hexadecimal.
pub(crate) fn of_texts(texts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    texts.iter().for_each(|bytes| add(&mut hash, bytes));
    text(hash)
}

/// All files below a folder in path order, without following links; folders that `enter` refuses are left out.
pub(crate) fn files_below(folder: &Path, enter: &dyn Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_file() {
                files.push(entry.path());
            } else if kind.is_dir() && enter(&entry.file_name().to_string_lossy()) {
                open.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The length goes first, so that no two lists of pieces read alike.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn text(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_count_and_products_do_not() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let now = || of_folders(root.path(), &["a", "missing"]).unwrap();
        write("a/one.rs", "1");
        write("b/other.rs", "1");
        let first = now();
        write("a/target/x.o", "product");
        write("b/other.rs", "2");
        assert_eq!(now(), first);
        write("a/deep/two.rs", "");
        let second = now();
        assert_ne!(second, first);
        write("a/one.rs", "2");
        assert_ne!(now(), second);
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn pieces_do_not_run_together() {
        assert_ne!(of_texts(&[b"ab", b"c"]), of_texts(&[b"a", b"bc"]));
    }
}
