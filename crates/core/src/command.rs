//! What may be sent to a machine, and when. Pure.

use serde::{Deserialize, Serialize};

use crate::alert::{Severity, Transition, TransitionKind};
use crate::policy::{CommandPolicy, OnCritical};
use crate::time::{Micros, SECOND};

/// A command that a critical alert asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Id: the alert's id and the method, so that the same alert asks once.
    pub id: String,
    /// Device to stop.
    pub device: String,
    /// Direct method.
    pub method: String,
    /// Whether it goes out at once or waits for approval.
    pub mode: OnCritical,
    /// The alert behind it.
    pub alert: String,
    /// Why, in words.
    pub reason: String,
    /// Event time of the row that asked for it.
    pub requested_at: Micros,
    /// After this time it must not be sent any more.
    pub expires_at: Micros,
    /// Seconds the device has to answer.
    pub response_timeout_seconds: u32,
}

/// The command that a transition asks for, unless the policy or the cooldown forbids it.
///
/// `last` is the time of the device's last command; it is moved when one is asked for.
pub fn command_for(
    transition: &Transition,
    device: &str,
    reason: &str,
    at: Micros,
    policy: &CommandPolicy,
    last: &mut Option<Micros>,
) -> Option<Command> {
    let became_critical =
        transition.kind != TransitionKind::Cleared && transition.case.severity == Severity::Critical;
    if !became_critical || policy.on_critical == OnCritical::Never {
        return None;
    }
    let cooldown = i64::from(policy.cooldown_seconds) * SECOND;
    if last.is_some_and(|last| at < last.saturating_add(cooldown)) {
        return None;
    }
    *last = Some(at);
    Some(Command {
        id: format!("{}-{}", transition.case.id, policy.method),
        device: device.to_owned(),
        method: policy.method.clone(),
        mode: policy.on_critical,
        alert: transition.case.id.clone(),
        reason: reason.to_owned(),
        requested_at: at,
        expires_at: at.saturating_add(i64::from(policy.expires_seconds) * SECOND),
        response_timeout_seconds: policy.response_timeout_seconds,
    })
}
