//! Twin updates waiting to go out: coalesced, bounded by the number of twins, within ADT's limits. Pure; the caller
//! brings the time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::patch::TwinUpdate;
use crate::time::{Micros, SECOND};

/// ADT takes ten writes a second on one twin, and that cannot be raised.
pub const TWIN_INTERVAL: Micros = SECOND / 10;
/// How long a patch that the service refused rests before the next try: the mend is a person's (create the twin,
/// give it a model with `health`).
pub const PARKED_INTERVAL: Micros = 30 * SECOND;

/// How sending a patch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The twin has it, or something newer.
    Done,
    /// Try again after so many microseconds.
    Later(Micros),
    /// The service refuses it, and why: try again much later.
    Refused(String),
}

#[derive(Debug)]
struct Waiting {
    update: TwinUpdate,
    in_flight: Option<i64>,
    refused: Option<String>,
}

/// What waits for one reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// Twin id.
    pub twin: String,
    /// What the service said.
    pub cause: String,
}

/// The newest update of every twin that is not yet known to be out.
#[derive(Debug, Default)]
pub struct Outgoing {
    waiting: HashMap<Arc<str>, Waiting>,
    due: BTreeSet<(Micros, Arc<str>)>,
    /// When each twin was last written, so that a new update right after an answer still waits its turn.
    written: HashMap<Arc<str>, Micros>,
}

impl Outgoing {
    /// Takes an update; an older one for the same twin is replaced, a newer one stays.
    pub fn offer(&mut self, update: TwinUpdate, now: Micros) {
        let twin = Arc::clone(&update.twin);
        match self.waiting.get_mut(&twin) {
            Some(waiting) => {
                if update.sequence >= waiting.update.sequence {
                    waiting.update = update;
                }
            }
            None => {
                let due = self.written.get(&twin).map_or(now, |written| now.max(written + TWIN_INTERVAL));
                self.due.insert((due, Arc::clone(&twin)));
                self.waiting.insert(twin, Waiting { update, in_flight: None, refused: None });
            }
        }
    }

    /// Takes out at most `max` updates that are due; each stays in flight until [`Outgoing::sent`].
    pub fn take_due(&mut self, now: Micros, max: usize) -> Vec<TwinUpdate> {
        let mut taken = Vec::new();
        while taken.len() < max {
            match self.due.first() {
                Some((due, _)) if *due <= now => {}
                _ => break,
            }
            let Some((_, twin)) = self.due.pop_first() else { break };
            if let Some(waiting) = self.waiting.get_mut(&twin) {
                waiting.in_flight = Some(waiting.update.sequence);
                taken.push(waiting.update.clone());
            }
        }
        taken
    }

    /// Reports how an update ended. Answers the sequence number that the twin now shows, when it is out.
    pub fn sent(&mut self, twin: &str, outcome: Sent, now: Micros) -> Option<i64> {
        let waiting = self.waiting.get_mut(twin)?;
        let in_flight = waiting.in_flight.take()?;
        let (due, out) = match outcome {
            Sent::Done => {
                self.written.insert(Arc::clone(&waiting.update.twin), now);
                if waiting.update.sequence == in_flight {
                    self.waiting.remove(twin);
                    return Some(in_flight);
                }
                waiting.refused = None;
                (now + TWIN_INTERVAL, Some(in_flight))
            }
            Sent::Later(after) => (now.saturating_add(after.max(TWIN_INTERVAL)), None),
            Sent::Refused(cause) => {
                waiting.refused = Some(cause);
                (now + PARKED_INTERVAL, None)
            }
        };
        self.due.insert((due, Arc::clone(&waiting.update.twin)));
        out
    }

    /// When the next update is due.
    pub fn next_due(&self) -> Option<Micros> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Number of twins with something that is not out.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether all is out.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Up to `max` updates that the service refuses.
    pub fn refusals(&self, max: usize) -> Vec<Refusal> {
        let refused = self.waiting.iter().filter_map(|(twin, waiting)| {
            waiting.refused.as_ref().map(|cause| Refusal { twin: twin.to_string(), cause: cause.clone() })
        });
        refused.take(max).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(twin: &str, sequence: i64) -> TwinUpdate {
        TwinUpdate { twin: Arc::from(twin), sequence, ..TwinUpdate::default() }
    }

    #[test]
    fn a_burst_of_updates_is_one_patch_and_never_above_ten_a_second() {
        let mut outgoing = Outgoing::default();
        let mut patches = 0;
        for step in 0..1_000 {
            let now = step * 1_000;
            outgoing.offer(update("arm", step), now);
            for taken in outgoing.take_due(now, 10) {
                patches += 1;
                outgoing.sent(&taken.twin, Sent::Done, now);
            }
        }
        assert!((9..=10).contains(&patches), "{patches}");
        let mut outgoing = Outgoing::default();
        outgoing.offer(update("arm", 1), 0);
        let first = outgoing.take_due(0, 10);
        outgoing.offer(update("arm", 2), 1);
        assert!(outgoing.take_due(1, 10).is_empty(), "in flight");
        assert_eq!(outgoing.sent(&first[0].twin, Sent::Done, 2), Some(1));
        assert!(outgoing.take_due(3, 10).is_empty(), "within a tenth of a second");
        assert_eq!(outgoing.take_due(2 + TWIN_INTERVAL, 10)[0].sequence, 2);
    }

    #[test]
    fn an_older_update_never_replaces_a_newer_one() {
        let mut outgoing = Outgoing::default();
        outgoing.offer(update("arm", 9), 0);
        outgoing.offer(update("arm", 3), 0);
        assert_eq!(outgoing.take_due(0, 1)[0].sequence, 9);
    }

    #[test]
    fn what_is_refused_rests_and_says_why() {
        let mut outgoing = Outgoing::default();
        outgoing.offer(update("arm", 1), 0);
        let taken = outgoing.take_due(0, 1);
        outgoing.sent(&taken[0].twin, Sent::Refused("twin not found".into()), 0);
        assert_eq!(outgoing.refusals(5)[0].cause, "twin not found");
        assert_eq!(outgoing.next_due(), Some(PARKED_INTERVAL));
        assert_eq!(outgoing.len(), 1);
    }
}
