//! From `customHandler.description` to a program, its arguments, folder and environment.

use std::path::{Path, PathBuf};

use crate::{
    HostError,
    settings::{CustomHandler, expand},
};

/// What to start; the same for every restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// A path below the app folder when such a file exists, else a command that PATH finds.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) app_folder: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
}

impl CommandLine {
    pub(crate) fn new(
        description: &CustomHandler,
        app_folder: &Path,
        environment: &[(String, String)],
    ) -> Result<Self, HostError> {
        let refuse = |executable: &str, reason: String| HostError::Handler {
            executable: executable.to_owned(),
            reason,
        };
        let app_folder = std::path::absolute(app_folder).map_err(|source| HostError::File {
            action: "find",
            path: app_folder.to_owned(),
            source,
        })?;
        let below =
            |name: &Option<String>| name.as_ref().map_or(app_folder.clone(), |name| app_folder.join(name));
        let (executable, _) = expand(&description.executable, environment);
        let folder = below(&description.working_directory);
        if !folder.is_dir() {
            return Err(refuse(
                &executable,
                format!("its working directory {} does not exist", folder.display()),
            ));
        }
        let candidate = below(&description.worker_directory).join(&executable);
        let program = if candidate.is_file() {
            candidate
        } else if executable.contains('/') {
            return Err(refuse(
                &executable,
                format!("there is no file {}; build it first", candidate.display()),
            ));
        } else {
            PathBuf::from(&executable)
        };
        // The host joins arguments by spaces without quoting, so one argument with a space becomes two.
        let joined = description.arguments.join(" ");
        let (joined, _) = expand(&joined, environment);
        Ok(Self { program, arguments: split(&joined), folder, app_folder, environment: environment.to_vec() })
    }
}

/// Splits as .NET does: at white space, but not inside double quotes.
fn split(line: &str) -> Vec<String> {
    let (mut arguments, mut current, mut quoted, mut started) = (Vec::new(), String::new(), false, false);
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                started = true;
            }
            c if c.is_whitespace() && !quoted => {
                if started {
                    arguments.push(std::mem::take(&mut current));
                }
                started = false;
            }
            c => {
                current.push(c);
                started = true;
            }
        }
    }
    if started {
        arguments.push(current);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_joined_without_quotes() {
        assert_eq!(split("--name a b"), ["--name", "a", "b"]);
        assert_eq!(split(" x \"a b\" \"\" "), ["x", "a b", ""]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn a_missing_executable_says_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            r#"{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"bin/handler"}}}"#;
        let settings = crate::settings::HostJson::parse(text, &[]).unwrap();
        let error = CommandLine::new(&settings.custom_handler.unwrap(), folder.path(), &[]).unwrap_err();
        assert!(error.to_string().contains("there is no file"), "{error}");
    }
}
