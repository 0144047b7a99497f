//! Running programs: with their output on the terminal, or read line by line; always with a deadline.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Longest piece of a line that is kept.
const LINE_LIMIT: u64 = 64 * 1024;
/// Lines of a failed program's output that an error shows.
const SHOWN_LINES: usize = 25;
/// How long a program may take to stop when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Says what goes on, on standard error: standard output belongs to results.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "xtask: {text}");
}

/// Runs to the end with the terminal's streams; failure is an error that names `what`.
pub(crate) fn run(command: &mut Command, what: &str, deadline: Duration) -> anyhow::Result<()> {
    let mut child = start(command, what)?;
    let end = Instant::now() + deadline;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            stop(&mut child);
            bail!("{what} took longer than {} s and was stopped", deadline.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    verdict(status, what)
}

/// Runs to the end, passing each line of output on as it comes; failure is an error that names `what`.
pub(crate) fn watch(
    command: &mut Command,
    what: &str,
    deadline: Duration,
    line: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let mut child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()), what)?;
    let (sender, lines) = sync_channel(256);
    if let Some(output) = child.stdout.take() {
        read_lines(output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        read_lines(output, sender);
    }
    let end = Instant::now() + deadline;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                stop(&mut child);
                bail!("{what} took longer than {} s and was stopped", deadline.as_secs());
            }
        }
    }
    verdict(child.wait()?, what)
}

/// Runs without output; a failure shows its last lines, without the addresses of servers in them.
pub(crate) fn quietly(command: &mut Command, what: &str, deadline: Duration) -> anyhow::Result<()> {
    let mut last: Vec<String> = Vec::new();
    let done = watch(command.stdin(Stdio::null()), what, deadline, &mut |line| {
        if last.len() == SHOWN_LINES {
            last.remove(0);
        }
        last.push(without_addresses(line));
    });
    done.with_context(|| last.join("\n"))
}

/// Standard output of a short program that succeeds.
pub(crate) fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of this name is on the path.
pub(crate) fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A started server whose first line says where it is; it ends with the value.
pub(crate) struct Server {
    child: Child,
    /// Its first line.
    pub(crate) first_line: String,
}

impl Server {
    /// Starts it and waits for its first line.
    pub(crate) fn start(command: &mut Command, what: &str, deadline: Duration) -> anyhow::Result<Self> {
        let child = start(command.stdin(Stdio::null()).stdout(Stdio::piped()), what)?;
        let mut server = Self { child, first_line: String::new() };
        let (sender, lines) = sync_channel(256);
        if let Some(output) = server.child.stdout.take() {
            read_lines(output, sender);
        }
        server.first_line = lines
            .recv_timeout(deadline)
            .with_context(|| format!("{what} said nothing within {} s", deadline.as_secs()))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn start(command: &mut Command, what: &str) -> anyhow::Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .spawn()
        .with_context(|| format!("{what}: cannot start {program}; is it installed and on the path?"))
}

fn verdict(status: ExitStatus, what: &str) -> anyhow::Result<()> {
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Asks first, so that a test runner can end its own children; then insists.
fn stop(child: &mut Child) {
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
    let end = Instant::now() + GRACE;
    while asked.is_ok() && Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn read_lines(output: impl Read + Send + 'static, lines: SyncSender<String>) {
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        while matches!((&mut output).take(LINE_LIMIT).read_until(b'\n', &mut bytes), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            // Nobody listens any more: read on all the same, or the program would hang in its own output.
            let _ = lines.send(text);
            bytes.clear();
        }
    });
}

/// Package managers name their servers in errors; which ones a machine uses is nobody's business.
fn without_addresses(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        if word.contains("://") || word.contains("host='") || word.contains("host=\"") {
            "[address]"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_both_streams_arrive_and_failure_is_named() {
        let mut lines = Vec::new();
        let done = watch(&mut shell("echo one; echo two >&2; exit 3"), "the script", DEADLINE, &mut |line| {
            lines.push(line.to_owned());
        });
        lines.sort();
        assert_eq!(lines, ["one", "two"]);
        assert!(done.unwrap_err().to_string().starts_with("the script failed"));
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let started = Instant::now();
        let hanging = || shell("exec sleep 60");
        let short = Duration::from_millis(50);
        assert!(run(&mut hanging(), "it", short).unwrap_err().to_string().contains("was stopped"));
        assert!(watch(&mut hanging(), "it", short, &mut |_| ()).is_err());
        assert!(started.elapsed() < DEADLINE);
    }

    #[test]
    fn errors_of_package_managers_name_no_server() {
        let error =
            quietly(&mut shell("echo cannot reach https://packages.example/x; false"), "it", DEADLINE);
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("cannot reach [address]") && text.contains("failed"), "{text}");
        assert_eq!(
            without_addresses("Pool(host='packages.example', port=443): no"),
            "[address] port=443): no"
        );
    }

    #[test]
    fn a_server_ends_with_its_value() {
        let server = Server::start(&mut shell("echo $$; exec sleep 60"), "it", DEADLINE).unwrap();
        let alive = format!("kill -0 {}", server.first_line);
        assert!(shell(&alive).status().unwrap().success());
        drop(server);
        assert!(!shell(&alive).stderr(Stdio::null()).status().unwrap().success());
    }
}
