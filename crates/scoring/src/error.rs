//! What can go wrong before the first batch. Errors while scoring are the domain's `ScorerError`.

/// Why a scorer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The engine cannot be made.
    #[error("the WebAssembly engine cannot start: {cause}")]
    Engine {
        /// What the engine said.
        cause: String,
    },
    /// The file is too large.
    #[error(
        "the scorer has {bytes} bytes, at most {limit} are allowed; strip debug information or raise the limit"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The file is no component.
    #[error("the file is not a WebAssembly component: {cause}")]
    NotComponent {
        /// What it looks like, and what to do.
        cause: String,
    },
    /// The component is broken, or uses what the host does not allow.
    #[error("the component does not compile: {cause}")]
    Compile {
        /// What the compiler said, shortened.
        cause: String,
    },
    /// It wants more than a scorer gets.
    #[error("the scorer imports {name}, but only twinwright:scoring/log is allowed; build it without it")]
    Import {
        /// The import.
        name: String,
    },
    /// It is a component, but not of the scorer's world.
    #[error("the component is no scorer of twinwright:scoring@1: {cause}")]
    World {
        /// What is missing or of another type.
        cause: String,
    },
    /// It cannot say what it is.
    #[error("the scorer's describe failed: {cause}")]
    Describe {
        /// What happened, shortened.
        cause: String,
    },
    /// What it says of itself breaks a rule.
    #[error("the scorer's descriptor is wrong: {cause}")]
    Descriptor {
        /// Which rule.
        cause: String,
    },
    /// The model that it carries cannot be handed over.
    #[error("the model in the component is wrong: {cause}")]
    Model {
        /// What is wrong.
        cause: String,
    },
    /// It does not accept the baseline, or failed while it looked at it.
    #[error("scorer {scorer} cannot use the baseline: {cause}")]
    Prepare {
        /// Name and version.
        scorer: String,
        /// Its message or what happened, shortened.
        cause: String,
    },
}
