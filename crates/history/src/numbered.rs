//! Agreement by numbered documents: each number is created once, the highest one rules, and whoever loses a race for the
//! next number reads again and decides again. The old numbers are the audit trail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt;

use crate::StoreError;
use crate::store::{Created, Store};

/// Lost races before giving up; each one means that another instance got on.
const RACES: u32 = 100;
/// Width of a number in a name, so that names sort as numbers do.
const DIGITS: usize = 9;

/// Documents `{prefix}/{number:09}.json`; clones share what they know.
#[derive(Clone, Debug)]
pub struct NumberedDocuments {
    store: Store,
    prefix: String,
    /// A number that was once the latest; listing may start there.
    known: Arc<AtomicU64>,
}

impl NumberedDocuments {
    /// Documents below a folder of the store, e.g. `promotions/press`.
    pub fn new(store: Store, prefix: impl Into<String>) -> Self {
        Self { store, prefix: prefix.into(), known: Arc::default() }
    }

    /// Full path of a number.
    pub fn path(&self, number: u64) -> String {
        format!("{}/{number:0DIGITS$}.json", self.prefix)
    }

    fn number(&self, path: &str) -> Option<u64> {
        let digits = path.strip_prefix(self.prefix.as_str())?.strip_prefix('/')?.strip_suffix(".json")?;
        (digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
        digits.parse().ok()
    }

    async fn highest(&self, after: Option<u64>) -> Result<Option<u64>, StoreError> {
        // Names alone are quicker to have of a folder, and old numbers are few.
        if self.store.is_near() {
            let paths = self.store.paths(&self.prefix).await?;
            return Ok(paths.iter().filter_map(|path| self.number(path)).max());
        }
        let after = after.map(|number| self.path(number));
        let mut entries = self.store.entries(&self.prefix, after.as_deref())?;
        let mut highest = None;
        while let Some(entry) = entries.next().await {
            highest = highest.max(self.number(&entry?.path));
        }
        Ok(highest)
    }

    /// The highest number that is taken.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn highest_number(&self) -> Result<Option<u64>, StoreError> {
        let known = self.known.load(Ordering::Relaxed);
        // Someone may have emptied the folder, so what was known is no proof that there is nothing.
        if known > 0
            && let Some(highest) = self.highest(Some(known - 1)).await?
        {
            return Ok(Some(highest));
        }
        self.highest(None).await
    }

    /// The document that rules, with its number.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn latest(&self) -> Result<Option<(u64, Bytes)>, StoreError> {
        for _ in 0..RACES {
            let Some(number) = self.highest_number().await? else { return Ok(None) };
            self.known.store(number, Ordering::Relaxed);
            if let Some(bytes) = self.store.read(&self.path(number)).await? {
                return Ok(Some((number, bytes)));
            }
            // Swept between the listing and the read: a higher one exists.
        }
        Err(StoreError::Contended { prefix: self.prefix.clone(), attempts: RACES })
    }

    /// One document, or `None` where the number is not taken or was swept.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn read(&self, number: u64) -> Result<Option<Bytes>, StoreError> {
        self.store.read(&self.path(number)).await
    }

    /// Takes a number if it is free.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn create(&self, number: u64, bytes: Bytes) -> Result<Created, StoreError> {
        self.store.create(&self.path(number), bytes).await
    }

    /// Decides on the latest document and writes the next one, again and again until no other writer comes between.
    /// The answer is the new number, or `None` where `decide` wants no new document.
    ///
    /// A document under the wanted number that equals ours counts as ours, because a write whose answer was lost may
    /// have landed. Writers that must tell themselves apart write who they are.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Contended`] after 100 lost races.
    pub async fn append(
        &self,
        mut decide: impl FnMut(Option<(u64, &Bytes)>) -> Option<Bytes>,
    ) -> Result<Option<u64>, StoreError> {
        for _ in 0..RACES {
            let latest = self.latest().await?;
            let current = latest.as_ref().map(|(number, bytes)| (*number, bytes));
            let Some(next) = decide(current) else { return Ok(None) };
            let number = latest.map_or(1, |(number, _)| number + 1);
            if self.create(number, next.clone()).await? == Created::New
                || self.read(number).await?.as_ref() == Some(&next)
            {
                return Ok(Some(number));
            }
        }
        Err(StoreError::Contended { prefix: self.prefix.clone(), attempts: RACES })
    }

    /// All numbers that are there, ascending.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(&self) -> Result<Vec<u64>, StoreError> {
        let mut entries = self.store.entries(&self.prefix, None)?;
        let mut numbers = Vec::new();
        while let Some(entry) = entries.next().await {
            numbers.extend(self.number(&entry?.path));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Deletes all but the newest `keep` documents (at least one stays); says how many went.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn sweep(&self, keep: usize) -> Result<usize, StoreError> {
        let numbers = self.list().await?;
        let old = &numbers[..numbers.len().saturating_sub(keep.max(1))];
        for &number in old {
            self.store.delete(&self.path(number)).await?;
        }
        Ok(old.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    fn text(text: &str) -> Bytes {
        Bytes::from(text.to_owned())
    }

    #[tokio::test]
    async fn the_highest_number_rules_and_foreign_files_do_not() {
        let store = Store::memory();
        let documents = NumberedDocuments::new(store.clone(), "promotions/arm");
        assert_eq!(documents.latest().await.unwrap(), None);
        for number in [1, 2, 10, 1_234_567_890] {
            documents.create(number, text(&number.to_string())).await.unwrap();
        }
        store.create("promotions/arm/notes.json", text("x")).await.unwrap();
        store.create("promotions/arm/old/000000099.json", text("x")).await.unwrap();
        assert_eq!(documents.latest().await.unwrap(), Some((1_234_567_890, text("1234567890"))));
        assert_eq!(documents.list().await.unwrap(), [1, 2, 10, 1_234_567_890]);
        assert_eq!(documents.sweep(2).await.unwrap(), 2);
        assert_eq!(documents.list().await.unwrap(), [10, 1_234_567_890]);
    }

    #[tokio::test]
    async fn racing_writers_all_get_their_turn() {
        let folder = tempfile::tempdir().unwrap();
        for store in [Store::memory(), Store::folder_unsynced(folder.path()).unwrap()] {
            let writers = (0..20).map(|writer| {
                let documents = NumberedDocuments::new(store.clone(), "counter");
                async move {
                    let add = |current: Option<(u64, &Bytes)>| {
                        let seen = current.map_or("", |(_, bytes)| std::str::from_utf8(bytes).unwrap());
                        Some(text(&format!("{seen}{writer},")))
                    };
                    documents.append(add).await.unwrap().unwrap()
                }
            });
            let mut numbers = join_all(writers).await;
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=20).collect::<Vec<u64>>());
            let (number, last) = NumberedDocuments::new(store, "counter").latest().await.unwrap().unwrap();
            assert_eq!((number, last.iter().filter(|&&byte| byte == b',').count()), (20, 20));
        }
    }

    #[tokio::test]
    async fn nothing_is_written_when_nothing_is_wanted_and_an_emptied_folder_starts_again() {
        let documents = NumberedDocuments::new(Store::memory(), "a");
        assert_eq!(documents.append(|_| None).await.unwrap(), None);
        assert_eq!(documents.append(|_| Some(text("1"))).await.unwrap(), Some(1));
        assert_eq!(documents.append(|_| Some(text("2"))).await.unwrap(), Some(2));
        documents.store.delete(&documents.path(2)).await.unwrap();
        assert_eq!(documents.latest().await.unwrap(), Some((1, text("1"))));
    }
}
