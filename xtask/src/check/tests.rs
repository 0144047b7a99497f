use std::fs;
use std::path::Path;

use super::*;

/// A folder that obeys all rules.
fn sound() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "host.json",
        r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}"#,
    );
    put(
        folder.path(),
        "ingest/function.json",
        r#"{"bindings":[{"name":"events","type":"eventHubTrigger","direction":"in"},
            {"name":"alerts","type":"queue","direction":"out"}],
            "retry":{"strategy":"exponentialBackoff","maxRetryCount":-1,"minimumInterval":"00:00:01","maximumInterval":"00:00:30"}}"#,
    );
    write(folder.path(), "scorers/a.wasm", &COMPONENT);
    executable(folder.path(), "handler", &program("GLIBC_2.34"));
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn put(folder: &Path, name: &str, text: &str) {
    write(folder, name, text.as_bytes());
}

fn executable(folder: &Path, name: &str, bytes: &[u8]) {
    write(folder, name, bytes);
    mode(folder, name, 0o755);
}

#[cfg(unix)]
fn mode(folder: &Path, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn mode(_folder: &Path, _name: &str, _mode: u32) {}

/// The smallest dynamic program that needs one version of glibc: a header, the loader's path, and three sections.
fn program(version: &str) -> Vec<u8> {
    let names = format!("\0{version}\0");
    let mut need = Vec::new();
    let push = |to: &mut Vec<u8>, value: u64, length: usize| to.extend(&value.to_le_bytes()[..length]);
    for (value, length) in [(1, 2), (1, 2), (0, 4), (16, 4), (0, 4), (0, 4), (0, 2), (2, 2), (1, 4), (0, 4)] {
        push(&mut need, value, length);
    }
    let loader = b"/lib64/ld-linux-x86-64.so.2\0";
    let (loader_at, names_at) = (64 + 56, 64 + 56 + loader.len() as u64);
    let need_at = names_at + names.len() as u64;
    let sections_at = need_at + need.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    for (value, length) in [
        (3, 2),
        (0x3e, 2),
        (1, 4),
        (0, 8),
        (64, 8),
        (sections_at, 8),
        (0, 4),
        (64, 2),
        (56, 2),
        (1, 2),
        (64, 2),
        (3, 2),
        (0, 2),
    ] {
        push(&mut bytes, value, length);
    }
    for (value, length) in
        [(3, 4), (4, 4), (loader_at, 8), (0, 8), (0, 8), (loader.len() as u64, 8), (0, 8), (1, 8)]
    {
        push(&mut bytes, value, length);
    }
    bytes.extend(loader);
    bytes.extend(names.as_bytes());
    bytes.extend(&need);
    let mut section = |kind: u64, at: u64, size: usize, link: u64| {
        for (value, length) in
            [(0, 4), (kind, 4), (0, 8), (0, 8), (at, 8), (size as u64, 8), (link, 4), (1, 4), (1, 8), (0, 8)]
        {
            push(&mut bytes, value, length);
        }
    };
    section(0, 0, 0, 0);
    section(3, names_at, names.len(), 0);
    section(0x6fff_fffe, need_at, need.len(), 1);
    bytes
}

/// The folder with one thing wrong has one problem, and it names the thing.
#[track_caller]
fn broken(change: impl FnOnce(&Path), words: &str) {
    let folder = sound();
    change(folder.path());
    let problems = check_staged(folder.path());
    assert!(problems.len() == 1 && problems[0].contains(words), "{words:?} expected, found {problems:#?}");
}

fn host_json(description: &str) -> impl FnOnce(&Path) + use<> {
    let text = format!(r#"{{"version":"2.0","customHandler":{{"description":{description}}}}}"#);
    move |folder| put(folder, "host.json", &text)
}

fn function(text: &str) -> impl FnOnce(&Path) + use<> {
    let text = text.to_owned();
    move |folder| put(folder, "ingest/function.json", &text)
}

#[test]
fn a_sound_folder_has_no_problem() {
    assert_eq!(check_staged(sound().path()), Vec::<String>::new());
    assert!(check_staged(Path::new("/no/such/folder"))[0].contains("cargo xtask package"));
}

#[test]
fn host_json_lies_at_the_root_and_is_of_version_2() {
    broken(|folder| fs::remove_file(folder.join("host.json")).unwrap(), "host.json cannot be read");
    broken(|folder| put(folder, "host.json", "{"), "host.json is not JSON");
    broken(|folder| put(folder, "host.json", &" ".repeat(2 << 20)), "larger than");
    let text = r#"{"customHandler":{"description":{"defaultExecutablePath":"handler"}}}"#;
    broken(|folder| put(folder, "host.json", text), "version must be");
}

#[test]
fn the_executable_is_named_as_in_the_zip() {
    broken(host_json("{}"), "defaultExecutablePath is missing");
    for path in ["./handler", "/handler", "bin//handler", "%HANDLER%", "bin\\\\handler", "../handler"] {
        broken(host_json(&format!(r#"{{"defaultExecutablePath":"{path}"}}"#)), "must be the path in the zip");
    }
    broken(host_json(r#"{"defaultExecutablePath":"other"}"#), "other is missing");
    broken(host_json(r#"{"defaultExecutablePath":"ingest"}"#), "not a file");
    broken(host_json(r#"{"defaultExecutablePath":"handler","workingDirectory":"bin"}"#), "workingDirectory");
}

#[test]
#[cfg(unix)]
fn the_executable_bit_is_set() {
    broken(|folder| mode(folder, "handler", 0o644), "not executable");
}

#[test]
fn the_host_can_run_the_binary() {
    let with = |bytes: Vec<u8>| move |folder: &Path| executable(folder, "handler", &bytes);
    broken(with(b"#!/bin/sh\n".to_vec()), "not an ELF file");
    broken(with(b"\x7f".to_vec()), "cut off");
    broken(with(program("GLIBC_2.34")[..100].to_vec()), "cut off");
    broken(with(program("GLIBC_2.38")), "needs glibc 2.38");
    broken(with(program("GLIBC_3.1")), "needs glibc 3.1");
    broken(with(program("OTHER_1.0")), "does not say which C library");
    let patched = |at: usize, byte: u8| {
        let mut bytes = program("GLIBC_2.34");
        bytes[at] = byte;
        bytes
    };
    broken(with(patched(18, 0xb7)), "not for 64-bit x86");
    broken(with(patched(16, 1)), "not a program");
    let mut musl = program("GLIBC_2.34");
    musl[120..147].copy_from_slice(b"/lib/ld-musl-x86_64.so.1\0\0\0");
    broken(with(musl), "needs /lib/ld-musl");
    // Without a loader the program is static, and needs nothing.
    let folder = sound();
    executable(folder.path(), "handler", &patched(64, 1));
    assert_eq!(check_staged(folder.path()), Vec::<String>::new());
}

#[test]
fn this_very_program_is_read() {
    let own = std::env::current_exe().unwrap();
    let problem = elf::problem(&own);
    // On another machine than the host's it may well have one, but it is always understood.
    assert!(problem.is_none_or(|text| text.contains("needs") || text.contains("host")));
}

#[test]
fn functions_lie_one_level_below() {
    broken(|folder| fs::remove_dir_all(folder.join("ingest")).unwrap(), "no folder holds a function.json");
    broken(|folder| put(folder, "function.json", "{}"), "give it a folder");
    broken(|folder| put(folder, "more/notify/function.json", "{}"), "only one level below");
    let twin = |folder: &Path| {
        let text = fs::read_to_string(folder.join("ingest/function.json")).unwrap();
        put(folder, "2nd/function.json", &text);
    };
    broken(twin, "starts with a letter");
}

#[test]
fn bindings_have_unique_names_and_one_trigger() {
    broken(function("[]"), "bindings is missing");
    broken(
        function(r#"{"bindings":[{"name":"a","type":"queue","direction":"out"}]}"#),
        "exactly one trigger and has 0",
    );
    let two = r#"{"bindings":[{"name":"a","type":"queueTrigger","direction":"in"},{"name":"b","type":"timerTrigger","direction":"in"}]}"#;
    broken(function(two), "exactly one trigger and has 2");
    let same = r#"{"bindings":[{"name":"a","type":"queueTrigger","direction":"in"},{"name":"A","type":"queue","direction":"out"}]}"#;
    broken(function(same), "letter case does not tell them apart");
    broken(function(r#"{"bindings":[{"name":"a","type":"queueTrigger"}]}"#), "needs a direction");
    broken(function(r#"{"bindings":[{"type":"queueTrigger","direction":"in"}]}"#), "lacks its name");
}

#[test]
fn a_retry_policy_is_whole_and_where_the_host_has_one() {
    let with = |trigger: &str, retry: &str| {
        function(&format!(
            r#"{{"bindings":[{{"name":"a","type":"{trigger}","direction":"in"}}],"retry":{retry}}}"#
        ))
    };
    let fixed = r#"{"strategy":"fixedDelay","maxRetryCount":3,"delayInterval":"00:00:01"}"#;
    broken(with("queueTrigger", fixed), "no retry policy");
    broken(
        with("timerTrigger", r#"{"strategy":"fixedDelay","maxRetryCount":3}"#),
        "retry.delayInterval is missing",
    );
    broken(with("timerTrigger", r#"{"strategy":"often"}"#), "fixedDelay or exponentialBackoff");
}

#[test]
fn routes_and_functions_do_not_mix() {
    let text = r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"},
        "http":{"routes":[{"route":"{*path}"}]}}}"#;
    broken(|folder| put(folder, "host.json", text), "cannot be mixed");
}

#[test]
fn products_and_links_are_not_published() {
    broken(|folder| put(folder, "target/debug/x", ""), "target/ would be published");
    broken(|folder| put(folder, "ingest/.git/config", ""), "ingest/.git/ would be published");
    #[cfg(unix)]
    broken(|folder| std::os::unix::fs::symlink("host.json", folder.join("link")).unwrap(), "symbolic link");
}

#[test]
fn scorers_are_components() {
    broken(|folder| fs::remove_dir_all(folder.join("scorers")).unwrap(), "holds no .wasm file");
    broken(|folder| write(folder, "scorers/core.wasm", b"\0asm\x01\0\0\0"), "not a WebAssembly component");
}
