//! Compiles a component when it is asked as a compiler's process is; says so otherwise.

use std::process::ExitCode;

fn main() -> ExitCode {
    twinwright_scoring::compiler::serve_if_asked().unwrap_or_else(|| {
        eprintln!("this program is started by twinwright, to compile a scorer");
        ExitCode::FAILURE
    })
}
