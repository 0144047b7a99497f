use super::*;

/// A checkout with just enough in it.
struct Checkout {
    folder: tempfile::TempDir,
    scorers: Vec<PathBuf>,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkout = Self { scorers: vec![folder.path().join("root/built/a.wasm")], folder };
        for (path, text) in [
            ("host.json", "{}"),
            (".funcignore", ".git*"),
            ("local.settings.example.json", "example"),
            ("functions/ingest/function.json", "{}"),
            ("functions/src/main.rs", ""),
            ("built/twinwright-functions", "binary"),
            ("built/a.wasm", "component"),
        ] {
            checkout.write(path, text);
        }
        checkout
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out/app")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn stage_at(&self, out: &Path) -> anyhow::Result<Staged> {
        let binary = self.root().join("built/twinwright-functions");
        stage(&Parts { root: &self.root(), binary: &binary, scorers: &self.scorers }, out)
    }

    fn stage(&self) -> anyhow::Result<Staged> {
        self.stage_at(&self.out())
    }
}

fn names(staged: &Staged) -> Vec<&str> {
    staged.files.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_host_finds_all_of_it_where_it_looks() {
    let checkout = Checkout::new();
    let staged = checkout.stage().unwrap();
    let expected = [
        ".funcignore",
        "host.json",
        "ingest/function.json",
        "local.settings.json",
        "scorers/a.wasm",
        "twinwright-functions",
    ];
    assert_eq!(names(&staged), expected);
    assert!(staged.to_string().contains("6 files"), "{staged}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |name| fs::metadata(checkout.out().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("twinwright-functions"), mode("local.settings.json")), (0o755, 0o600));
    }
}

#[test]
fn the_next_one_takes_its_place_and_own_settings_and_data_stay() {
    let checkout = Checkout::new();
    checkout.stage().unwrap();
    fs::write(checkout.out().join("local.settings.json"), "mine").unwrap();
    fs::create_dir_all(checkout.out().join(".twinwright/storage")).unwrap();
    fs::write(checkout.out().join(".twinwright/storage/segment"), "history").unwrap();
    fs::remove_dir_all(checkout.root().join("functions/ingest")).unwrap();
    checkout.write("functions/notify/function.json", "{}");
    checkout.write("twinwright.toml", "");
    let staged = checkout.stage().unwrap();
    assert!(!names(&staged).contains(&"ingest/function.json"), "{staged}");
    assert!(names(&staged).contains(&"notify/function.json") && names(&staged).contains(&"twinwright.toml"));
    assert_eq!(fs::read_to_string(checkout.out().join("local.settings.json")).unwrap(), "mine");
    assert!(checkout.out().join(".twinwright/storage/segment").is_file());
    let left: Vec<_> = fs::read_dir(checkout.out().parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "the folder and its lock: {left:?}");
}

#[test]
fn a_run_that_was_cut_short_is_made_good() {
    let checkout = Checkout::new();
    checkout.stage().unwrap();
    fs::write(checkout.out().join("local.settings.json"), "mine").unwrap();
    // Cut between the two renames: the folder is away, the new one half made.
    let parent = checkout.out().parent().unwrap().to_owned();
    fs::rename(checkout.out(), parent.join(".app.old")).unwrap();
    fs::create_dir_all(parent.join(".app.new/rubbish")).unwrap();
    checkout.stage().unwrap();
    assert_eq!(fs::read_to_string(checkout.out().join("local.settings.json")).unwrap(), "mine");
    assert!(!checkout.out().join("rubbish").exists());
    // Cut before what is kept had moved.
    fs::create_dir_all(parent.join(".app.old")).unwrap();
    fs::rename(checkout.out().join("local.settings.json"), parent.join(".app.old/local.settings.json"))
        .unwrap();
    checkout.stage().unwrap();
    assert_eq!(fs::read_to_string(checkout.out().join("local.settings.json")).unwrap(), "mine");
}

#[test]
fn a_failure_leaves_the_old_folder_as_it_was() {
    let checkout = Checkout::new();
    checkout.stage().unwrap();
    fs::remove_file(checkout.root().join("built/a.wasm")).unwrap();
    let error = format!("{:#}", checkout.stage().unwrap_err());
    assert!(error.contains("a.wasm"), "{error}");
    assert!(checkout.out().join("scorers/a.wasm").is_file());
}

#[test]
fn only_a_staged_app_is_replaced() {
    let checkout = Checkout::new();
    let precious = checkout.folder.path().join("precious");
    fs::create_dir_all(precious.join("photographs")).unwrap();
    for out in [&precious, &checkout.root(), &checkout.folder.path().to_owned()] {
        let error = checkout.stage_at(out).unwrap_err().to_string();
        assert!(error.contains("choose another --out"), "{error}");
    }
    assert!(precious.join("photographs").is_dir());
}

#[test]
fn sizes_read_well() {
    assert_eq!(size_text(9_999), "9999 B");
    assert_eq!(size_text(12_345), "12 kB");
    assert_eq!(size_text(123_456_789), "123.4 MB");
}
