//! The suite that every store passes: memory, folder, Azurite, the cloud.

use bytes::Bytes;
use futures::future::join_all;

use crate::StoreError;
use crate::store::{Created, Store};

/// Writers of the race.
const WRITERS: usize = 16;
/// Bytes from which a folder writes past the system's cache, and some.
const LARGE: usize = 3 << 20;

/// Runs all checks below a prefix of its own, which should be unused before.
///
/// # Errors
/// What the store did instead, in words.
pub async fn run(store: &Store) -> Result<(), String> {
    store.prepare().await.map_err(|error| error.to_string())?;
    store.prepare().await.map_err(|error| format!("preparing twice: {error}"))?;
    create_only(store).await?;
    one_winner(store).await?;
    listing(store).await?;
    odd_paths(store).await
}

fn expect(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

async fn create(store: &Store, path: &str, text: &'static str) -> Result<Created, String> {
    store
        .create(path, Bytes::from_static(text.as_bytes()))
        .await
        .map_err(|error| format!("create {path}: {error}"))
}

async fn read(store: &Store, path: &str) -> Result<Option<Bytes>, String> {
    store.read(path).await.map_err(|error| format!("read {path}: {error}"))
}

/// A taken name stays as it is; a deleted one is free again.
async fn create_only(store: &Store) -> Result<(), String> {
    let path = "conformance/create/a=1/one.json";
    expect(read(store, path).await?.is_none(), "an object that was never made can be read")?;
    expect(create(store, path, "first").await? == Created::New, "a free name is not new")?;
    expect(create(store, path, "second").await? == Created::AlreadyThere, "a taken name was given again")?;
    expect(read(store, path).await?.as_deref() == Some(b"first"), "the second writer changed the object")?;
    store.delete(path).await.map_err(|error| format!("delete: {error}"))?;
    store.delete(path).await.map_err(|error| format!("delete of nothing: {error}"))?;
    expect(read(store, path).await?.is_none(), "a deleted object can be read")?;
    expect(create(store, path, "").await? == Created::New, "a deleted name is not free")?;
    expect(read(store, path).await?.is_some_and(|bytes| bytes.is_empty()), "an empty object is not empty")?;
    store.delete(path).await.map_err(|error| error.to_string())
}

/// Of many writers of one name at once, one wins, and all read its bytes; small objects and large ones, in parts.
async fn one_winner(store: &Store) -> Result<(), String> {
    let path = "conformance/race/one.json";
    let body =
        |writer: usize, length: usize| Bytes::from(vec![b'a' + u8::try_from(writer).unwrap_or(0); length]);
    let small = join_all((0..WRITERS).map(|writer| store.create(path, body(writer, 100_000)))).await;
    expect(
        read(store, path).await? == Some(body(winner(small)?, 100_000)),
        "the object is not the winner's",
    )?;
    let path = "conformance/race/large.parquet";
    let parts = |writer: usize| vec![body(writer, LARGE), body(writer + 1, 1_001)];
    let large = join_all((0..WRITERS).map(|writer| store.create_parts(path, parts(writer)))).await;
    let whole = parts(winner(large)?).concat();
    expect(read(store, path).await?.as_deref() == Some(&*whole), "the large object is not the winner's")?;
    let listed = store.list("conformance/race", None, 9).await.map_err(|error| error.to_string())?;
    let sizes: Vec<u64> = listed.iter().map(|entry| entry.size).collect();
    expect(sizes == [whole.len() as u64, 100_000], format!("the race left objects of {sizes:?} bytes"))?;
    for entry in listed {
        store.delete(&entry.path).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Which of the writers found the name free.
fn winner(outcomes: Vec<Result<Created, StoreError>>) -> Result<usize, String> {
    let mut winners = Vec::new();
    for (writer, outcome) in outcomes.into_iter().enumerate() {
        if outcome.map_err(|error| format!("racing create: {error}"))? == Created::New {
            winners.push(writer);
        }
    }
    expect(winners.len() == 1, format!("{} of {WRITERS} writers won", winners.len()))?;
    Ok(winners[0])
}

/// Names come sorted, below their folder, behind the start, and no more than asked for.
async fn listing(store: &Store) -> Result<(), String> {
    let path = |name: usize| format!("conformance/list/d={}/{name:03}.json", name % 3);
    for name in (0..12).rev() {
        create(store, &path(name), "x").await?;
    }
    let names = |after: Option<String>, limit: usize| async move {
        let found =
            store.list("conformance/list", after.as_deref(), limit).await.map_err(|e| e.to_string())?;
        Ok::<_, String>(found.into_iter().map(|entry| entry.path).collect::<Vec<_>>())
    };
    let mut all: Vec<String> = (0..12).map(path).collect();
    all.sort_unstable();
    expect(names(None, 100).await? == all, "a listing is not complete and sorted")?;
    expect(names(None, 5).await? == all[..5], "a limited listing is not the first names")?;
    expect(names(Some(all[4].clone()), 5).await? == all[5..10], "a listing does not go on behind its start")?;
    expect(names(Some("conformance/list/d=1".to_owned()), 4).await? == all[4..8], "a start need not exist")?;
    let one = store.list("conformance/list", None, 1).await.map_err(|error| error.to_string())?;
    expect(one[0].size == 1 && one[0].modified > 0, "size or time of an object is wrong")?;
    let none = store.list("conformance/lis", None, 9).await.map_err(|error| error.to_string())?;
    expect(none.is_empty(), "a prefix is a folder, not the start of a name")?;
    let folders = store.folders("conformance/list").await.map_err(|error| error.to_string())?;
    let expected: Vec<String> = (0..3).map(|day| format!("conformance/list/d={day}")).collect();
    expect(folders == expected, format!("folders are {folders:?}"))?;
    let none = store.folders("conformance/nothing").await.map_err(|error| error.to_string())?;
    expect(none.is_empty(), "a folder without objects has folders")?;
    for name in all {
        store.delete(&name).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Paths never leave the store.
async fn odd_paths(store: &Store) -> Result<(), String> {
    for path in ["", "/", "../x", "a/../../x", "a//b", "/etc/x", "a/", "a/b#1"] {
        expect(store.create(path, Bytes::new()).await.is_err(), format!("{path:?} was taken for a path"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_conforms() {
        run(&Store::memory()).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_conforms_with_and_without_sync() {
        let folder = tempfile::tempdir().unwrap();
        run(&Store::folder(folder.path().join("synced")).unwrap()).await.unwrap();
        run(&Store::folder_unsynced(folder.path().join("not")).unwrap()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn azurite_conforms() {
        let Some(azurite) = crate::testing::Azurite::start() else { return };
        let missing = azurite.store("missing");
        let error = missing.create("a", Bytes::new()).await.unwrap_err();
        assert!(matches!(error, crate::StoreError::NoContainer { .. }), "{error}");
        let error = missing.read("a").await.unwrap_err();
        assert!(matches!(error, crate::StoreError::NoContainer { .. }), "{error}");
        run(&azurite.store("conformance")).await.unwrap();
    }
}
