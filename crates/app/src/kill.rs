//! Kill points: places where a test has the handler killed, to see that nothing is lost and nothing doubled.
//!
//! Compiled in only with the feature `kill-points` and in the tests of this crate; nothing of it is in a released binary.

/// A step of the way of an event at which the process may be killed.
#[cfg(any(test, feature = "kill-points"))]
pub fn point(name: &str) {
    let Ok(wanted) = std::env::var("TWINWRIGHT_KILL_AT") else { return };
    let Ok(mark) = std::env::var("TWINWRIGHT_KILL_MARK") else { return };
    static HITS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let (wanted, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if wanted != name {
        return;
    }
    let hit = HITS.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
    if nth.parse() != Ok(hit) || std::fs::OpenOptions::new().write(true).create_new(true).open(&mark).is_err()
    {
        return;
    }
    let own = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &own]).status();
    loop {
        std::thread::park();
    }
}

/// A step of the way of an event at which the process may be killed.
#[cfg(not(any(test, feature = "kill-points")))]
#[inline]
pub fn point(_name: &str) {}
