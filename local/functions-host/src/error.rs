//! Errors: one enum for the host, one for the queue port.

use std::path::PathBuf;

/// Why the host cannot start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file of the app or of the data folder cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried: "read", "write", "list".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// `host.json` is not what the host can work with.
    #[error("host.json: {0}")]
    HostJson(String),
    /// A `function.json` is not what the host can work with.
    #[error("{function}/function.json: {reason}")]
    Function {
        /// The function's folder name.
        function: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// A checkpoint or timer document cannot be read; it is never torn by a crash, so somebody edited it.
    #[error("{path} is damaged ({reason}); delete it to start from the beginning")]
    Damaged {
        /// The document.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The HTTP address is taken or not allowed.
    #[error("cannot listen on {address}: {source}; choose another address or stop the program that holds it")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The handler's executable cannot be found or started.
    #[error("cannot start the custom handler {executable}: {reason}")]
    Handler {
        /// The path or command that was tried.
        executable: String,
        /// Why it does not start.
        reason: String,
    },
    /// A queue that a function needs cannot be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The app has a trigger for which the configuration gives no port.
    #[error("function {function} has {what}, but the host configuration gives no {port}")]
    MissingPort {
        /// The function.
        function: String,
        /// The binding that needs the port.
        what: &'static str,
        /// The field of [`crate::HostConfig`] to fill.
        port: &'static str,
    },
    /// No function of that name and kind.
    #[error("there is no {kind} function named {name}; the app has: {known}")]
    NoSuchFunction {
        /// The kind asked for, such as "timer".
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist, joined by commas.
        known: String,
    },
    /// An invocation asked for by [`crate::FunctionsHost::invoke_timer`] failed.
    #[error("function {function} failed: {cause}")]
    Invocation {
        /// The function.
        function: String,
        /// What the host logged as the cause.
        cause: String,
    },
    /// The host stopped by itself.
    #[error("the host stopped: {reason}")]
    Stopped {
        /// Why, with the handler's last words where there are some.
        reason: String,
    },
}

/// What a queue service answers when it cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The name breaks the rules for queue names.
    #[error(
        "queue name {0:?} is not allowed: use 3 to 63 lower-case letters, digits and single inner dashes"
    )]
    Name(String),
    /// The queue does not exist.
    #[error("queue {0} does not exist; create it first")]
    NotFound(String),
    /// The message is gone, or somebody else received it after its visibility ended.
    #[error("message {id} of queue {queue} is no longer held under this pop receipt")]
    Receipt {
        /// The queue.
        queue: String,
        /// The message id.
        id: String,
    },
    /// The message is larger than a storage queue takes.
    #[error("a message of {length} bytes is too large for queue {queue}: the limit is {limit} bytes")]
    TooLarge {
        /// The queue.
        queue: String,
        /// Bytes of the body.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The folder behind the queue failed.
    #[error("queue folder {path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The service refused.
    #[error("the queue service answered {status} to {operation}: {message}")]
    Service {
        /// What was asked.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// Error code or text of the service.
        message: String,
    },
    /// The service cannot be reached.
    #[error("cannot reach the queue service for {operation}: {message}")]
    Transport {
        /// What was asked.
        operation: &'static str,
        /// The chain of causes.
        message: String,
    },
    /// The connection string cannot be used.
    #[error("storage connection string: {0}")]
    Connection(String),
}
