//! Reading, merging and checking the configuration.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, DEFAULTS};

/// Prefix of app settings.
const PREFIX: &str = "TWINWRIGHT_";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not valid TOML: {cause}")]
    Syntax {
        /// Which file or app setting.
        origin: String,
        /// Where and what.
        cause: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key {key:?}{hint}")]
    UnknownKey {
        /// Which file or app setting.
        origin: String,
        /// The key, dotted.
        key: String,
        /// The nearest known key, as a sentence part.
        hint: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("configuration: {0}")]
    Invalid(String),
}

/// Loads the defaults, the file (if it exists) and the app settings (name, value).
///
/// # Errors
/// [`ConfigError`]; nothing is used of a configuration that has one fault.
pub fn load(
    file: Option<&Path>,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut table = parse(DEFAULTS, "the defaults")?;
    let known = table.clone();
    if let Some(path) = file.filter(|path| path.exists()) {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        let origin = path.display().to_string();
        let layer = parse(&text, &origin)?;
        check_keys(&layer, &known, &origin, "")?;
        merge(&mut table, layer);
    }
    for (name, value) in settings {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        if !key.contains("__") && key != "HUB" {
            continue;
        }
        let layer = from_setting(key, &value, &table);
        check_keys(&layer, &known, &name, "")?;
        merge(&mut table, layer);
    }
    let config: Config =
        Value::Table(table).try_into().map_err(|cause: toml::de::Error| describe(&cause.to_string()))?;
    validate(&config)?;
    Ok(config)
}

fn parse(text: &str, origin: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>()
        .map_err(|cause| ConfigError::Syntax { origin: origin.to_owned(), cause: cause.to_string() })
}

/// An app setting as a one-leaf table. Names are case-insensitive and have no dashes, so each part is matched
/// against the keys that are there.
fn from_setting(key: &str, value: &str, table: &Table) -> Table {
    let mut names = Vec::new();
    let mut level = Some(table);
    for part in key.split("__") {
        let plain = part.to_ascii_lowercase();
        let known = level.and_then(|level| {
            level.keys().find(|key| key.replace('-', "_").eq_ignore_ascii_case(&plain)).cloned()
        });
        let name = known.unwrap_or(plain);
        level = level.and_then(|level| level.get(&name)).and_then(Value::as_table);
        names.push(name);
    }
    // `true`, `12` and `["a"]` are TOML; anything else is text.
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("value"));
    let mut leaf = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    for name in names.into_iter().rev() {
        leaf = Value::Table(Table::from_iter([(name, leaf)]));
    }
    leaf.as_table().cloned().unwrap_or_default()
}

/// Keys outside `equipment` are all in the defaults; those inside are checked by their type.
fn check_keys(layer: &Table, known: &Table, origin: &str, path: &str) -> Result<(), ConfigError> {
    for (key, value) in layer {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if full == "equipment" {
            continue;
        }
        match (known.get(key), value) {
            (Some(Value::Table(known)), Value::Table(layer)) => check_keys(layer, known, origin, &full)?,
            (Some(_), _) => {}
            (None, _) => {
                let nearest = nearest(key, known.keys().map(String::as_str));
                let hint = nearest.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                return Err(ConfigError::UnknownKey { origin: origin.to_owned(), key: full, hint });
            }
        }
    }
    Ok(())
}

fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.map(|name| (strsim::damerau_levenshtein(key, name), name)).min().map(|(_, name)| name)
}

/// Tables are merged, everything else is replaced.
fn merge(base: &mut Table, layer: Table) {
    for (key, value) in layer {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(layer)) => merge(base, layer),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Serde names the unknown key and all known ones; people want the nearest.
fn describe(message: &str) -> ConfigError {
    let ticked: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, Some((key, known))) = (message.contains("unknown field"), ticked.split_first()) {
        let hint = nearest(key, known.iter().copied()).map(|near| format!("; did you mean {near:?}?"));
        return ConfigError::UnknownKey {
            origin: "equipment".to_owned(),
            key: (*key).to_owned(),
            hint: hint.unwrap_or_default(),
        };
    }
    ConfigError::Invalid(message.trim().to_owned())
}

fn validate(config: &Config) -> Result<(), ConfigError> {
    let invalid = |text: String| Err(ConfigError::Invalid(text));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if config.hub.is_empty() || config.hub.len() > 64 || !config.hub.chars().all(plain) {
        return invalid(format!("hub = {:?}: needs 1 to 64 letters, digits, dots or dashes", config.hub));
    }
    for (key, url) in [("twins.url", &config.twins.url), ("notify.webhook_url", &config.notify.webhook_url)] {
        if !url.is_empty() && url::Url::parse(url).is_err() {
            return invalid(format!("{key} = {url:?} is no URL; write https://…"));
        }
    }
    for (key, value, low, high) in [
        ("twins.parallel", config.twins.parallel as u64, 1, 1_000),
        ("scoring.deadline_ms", config.scoring.deadline_ms, 20, 60_000),
        ("scoring.memory_mb", config.scoring.memory_mb as u64, 1, 4_096),
        ("ingest.max_batch", config.ingest.max_batch as u64, 1, 100_000),
        ("ingest.snapshot_every_segments", u64::from(config.ingest.snapshot_every_segments), 1, 1_000_000),
        ("retrain.max_assets", config.retrain.max_assets as u64, 0, 128),
        ("retrain.window_hours", u64::from(config.retrain.window_hours), 1, 24 * 3_660),
    ] {
        if !(low..=high).contains(&value) {
            return invalid(format!("{key} = {value}: needs {low} to {high}"));
        }
    }
    config
        .scoring
        .canary
        .validate()
        .map_err(|text| ConfigError::Invalid(format!("scoring.canary: {text}")))?;
    config.equipment.validate().map_err(ConfigError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        load(None, settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_defaults_are_whole() {
        let config = with(&[]).unwrap();
        assert_eq!(config.equipment.model_of("robotic-arm-001"), "robotic-arm");
        assert_eq!(config.equipment.model_of("lathe-1"), "generic");
    }

    #[test]
    fn app_settings_override_and_reach_dashed_names() {
        let config = with(&[
            ("TWINWRIGHT_HUB", "plant"),
            ("TWINWRIGHT_TWINS__PARALLEL", "4"),
            ("TWINWRIGHT_EQUIPMENT__ROBOTIC_ARM__SCORER", "ewma-chart"),
            ("PATH", "/bin"),
        ]);
        let config = config.unwrap();
        assert_eq!((config.hub.as_str(), config.twins.parallel), ("plant", 4));
        assert_eq!(config.equipment.0["robotic-arm"].scorer, "ewma-chart");
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = with(&[("TWINWRIGHT_SCORING__DEADLINE", "5")]).unwrap_err().to_string();
        assert!(error.contains("deadline_ms"), "{error}");
        let error = with(&[("TWINWRIGHT_EQUIPMENT__ROBOTIC_ARM__SCORRER", "x")]).unwrap_err().to_string();
        assert!(error.contains("did you mean \"scorer\""), "{error}");
    }

    #[test]
    fn a_wrong_value_says_what_is_allowed() {
        for (name, value, part) in [
            ("TWINWRIGHT_TWINS__URL", "somewhere", "twins.url"),
            ("TWINWRIGHT_SCORING__MEMORY_MB", "0", "1 to 4096"),
            ("TWINWRIGHT_SCORING__MEMORY_MB", "lots", "invalid type"),
            ("TWINWRIGHT_EQUIPMENT__ROBOTIC_ARM__ALERT__LIMIT", "-1.0", "alert"),
        ] {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
    }
}
