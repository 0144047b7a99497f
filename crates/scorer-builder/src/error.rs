//! What can go wrong.

use std::path::PathBuf;

/// Why the scorers were not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder holds nothing to build.
    #[error("{folder} holds no scorers; pass the folder with the scorers' crates (wasm-modules)")]
    NoModules {
        /// Which folder.
        folder: PathBuf,
    },
    /// A manifest cannot be read.
    #[error("{path} is not a scorer's manifest: {cause}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// No way to compile for WebAssembly was found.
    #[error(
        "no Rust toolchain for wasm32-unknown-unknown; run `rustup target add wasm32-unknown-unknown`, or, where \
         rustup cannot download, `apt-get install rustc-web cargo-web rust-web-src` (tried: {tried})"
    )]
    NoToolchain {
        /// What was tried, and why it did not do.
        tried: String,
    },
    /// A tool of a language is not there.
    #[error("{program} is not installed; run in the scorer's folder: {install}")]
    Missing {
        /// Which tool.
        program: String,
        /// What to do.
        install: String,
    },
    /// A program could not be started.
    #[error("{program} could not be started: {cause}; is it installed and on the path?")]
    Start {
        /// Which program.
        program: String,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The compiler gave up.
    #[error("the scorers do not compile with {toolchain}:\n{output}")]
    Compile {
        /// Which toolchain.
        toolchain: String,
        /// The last lines of its output.
        output: String,
    },
    /// A module does not fit the scorer's world.
    #[error("{name} cannot be made a component: {cause}")]
    Component {
        /// Which scorer.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
}
