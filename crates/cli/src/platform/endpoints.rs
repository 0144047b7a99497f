//! Where event routes of the local twins may lead. On Azure the control plane keeps this list.

use std::path::Path;
use std::str::FromStr;

use twinwright_local_digital_twins::{EndpointConfig, EndpointKind, EventGridSchema};

/// The endpoint that is always there: files that `tail -f` shows.
const LOG: &str = "log";
const PARTITIONS: u32 = 4;

/// An endpoint as an argument: `NAME=TARGET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointOption {
    name: String,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Log,
    Webhook(String),
    Queue(String),
}

impl FromStr for EndpointOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = "write NAME=https://… for a webhook or Event Grid topic, NAME=queue:http://… for a storage queue \
                     with its signature, or NAME=log for files";
        let (name, target) = text.split_once('=').ok_or(usage)?;
        let target = match target {
            "log" => Target::Log,
            target if target.starts_with("http://") || target.starts_with("https://") => {
                Target::Webhook(target.to_owned())
            }
            target => match target.strip_prefix("queue:") {
                Some(queue) if queue.starts_with("http") => Target::Queue(queue.to_owned()),
                _ => return Err(usage.to_owned()),
            },
        };
        Ok(Self { name: name.to_owned(), target })
    }
}

/// The endpoints that were asked for, and [`LOG`].
pub(super) fn of(asked: &[EndpointOption], data: &Path) -> Vec<EndpointConfig> {
    let log = EndpointOption { name: LOG.to_owned(), target: Target::Log };
    let own = (!asked.iter().any(|endpoint| endpoint.name == LOG)).then_some(&log);
    own.into_iter()
        .chain(asked)
        .map(|EndpointOption { name, target }| {
            let kind = match target {
                Target::Log => {
                    let folder = data.join("twin-events").join(name);
                    EndpointKind::PartitionLog { folder, partitions: PARTITIONS }
                }
                Target::Webhook(url) => EndpointKind::EventGrid {
                    url: url.clone(),
                    schema: EventGridSchema::CloudEvents,
                    handshake: false,
                    key: None,
                },
                Target::Queue(url) => EndpointKind::StorageQueue { url: url.clone() },
            };
            EndpointConfig::new(name, kind)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_wrong_ones_say_how() {
        for good in
            ["alarms=https://example.com/hook", "q1=queue:http://127.0.0.1:10001/a/q?sig=x", "files=log"]
        {
            assert!(good.parse::<EndpointOption>().is_ok(), "{good}");
        }
        for bad in ["alarms", "alarms=ftp://x", "alarms=queue:x", ""] {
            let error = bad.parse::<EndpointOption>().unwrap_err();
            assert!(error.contains("NAME=https://"), "{error}");
        }
    }

    #[test]
    fn the_log_is_there_unless_another_has_its_name() {
        let names = |asked: &[&str]| -> Vec<String> {
            let asked: Vec<EndpointOption> = asked.iter().map(|text| text.parse().unwrap()).collect();
            of(&asked, Path::new("/data")).into_iter().map(|endpoint| endpoint.name).collect()
        };
        assert_eq!(names(&[]), ["log"]);
        assert_eq!(names(&["alarms=http://localhost:1/"]), ["log", "alarms"]);
        assert_eq!(names(&["log=http://localhost:1/"]), ["log"]);
    }
}
