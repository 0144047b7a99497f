//! What steps leave for the steps after them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use super::tally::Tally;
use crate::process::say;
use crate::tools::Tools;
use crate::workspace::{CLI, Workspace};

/// A run of the steps.
pub(crate) struct Session {
    /// Where things are.
    pub(crate) workspace: Workspace,
    /// Tests counted so far.
    pub(crate) tally: Tally,
    /// What the step `package` staged.
    pub(crate) staged: Option<Staged>,
    tools: Found,
}

/// Folders that tests work with.
pub(crate) struct Staged {
    /// The function app.
    pub(crate) app: PathBuf,
    /// The same with the handler that tests can kill at a chosen point.
    pub(crate) kill_points: PathBuf,
    /// All scorers, also misbehaving ones.
    pub(crate) scorers: PathBuf,
}

enum Found {
    /// Not asked for.
    Not,
    /// Being installed while cargo compiles.
    Soon(JoinHandle<Tools>),
    /// There.
    Now(Box<Tools>),
}

impl Session {
    /// Begins; installs tools in the background if they are wanted.
    pub(crate) fn start(workspace: Workspace, with_tools: bool) -> Self {
        let tools = if with_tools {
            let workspace = workspace.clone();
            // Waiting for the network beside a compiler that waits for processors.
            Found::Soon(std::thread::spawn(move || Tools::ensure(&workspace)))
        } else {
            Found::Not
        };
        Self { workspace, tally: Tally::default(), staged: None, tools }
    }

    /// The tools, waited for; none in a fast run.
    pub(crate) fn tools(&mut self) -> Option<&Tools> {
        self.tools = match std::mem::replace(&mut self.tools, Found::Not) {
            Found::Soon(thread) => match thread.join() {
                Ok(tools) => Found::Now(Box::new(tools)),
                Err(_) => {
                    say("installing tools broke off");
                    Found::Not
                }
            },
            other => other,
        };
        match &self.tools {
            Found::Now(tools) => Some(tools),
            _ => None,
        }
    }

    /// The command line's binary.
    pub(crate) fn cli(&self) -> PathBuf {
        self.workspace.binary(CLI, false, None)
    }

    /// Cargo, told where tests find what they need.
    pub(crate) fn test_cargo(&mut self) -> Command {
        let mut command = self.workspace.cargo();
        let mut set = |name: &str, path: &Path| {
            command.env(name, path);
        };
        set("TWINWRIGHT_CLI", &self.cli());
        if let Some(staged) = &self.staged {
            set("TWINWRIGHT_APP", &staged.app);
            set("TWINWRIGHT_APP_KILL_POINTS", &staged.kill_points);
            set("TWINWRIGHT_SCORERS", &staged.scorers);
        }
        if let Some(tools) = self.tools() {
            if let Ok(python) = &tools.python_sdk {
                set("TWINWRIGHT_PYTHON", python);
            }
            if let Ok(python) = &tools.python_history {
                set("TWINWRIGHT_PYTHON_HISTORY", python);
            }
            if let Ok(python) = &tools.python_mlflow {
                set("TWINWRIGHT_MLFLOW_PYTHON", python);
            }
            if let Ok(npm) = &tools.npm {
                set("TWINWRIGHT_AZURITE", npm);
                set("NODE_PATH", &npm.join("node_modules"));
            }
            if let Ok(browser) = &tools.browser {
                set("CHROMIUM", browser);
            }
        }
        command
    }
}
