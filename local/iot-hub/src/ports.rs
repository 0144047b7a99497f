//! Binding a port, with an error that names whoever holds it.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// A port that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody else listens there.
    #[error("port {port} is in use by {holder}; stop it or choose another with {option}")]
    InUse {
        /// The port.
        port: u16,
        /// Who holds it: `"name" (pid N)`, or `another program` where the system does not tell.
        holder: String,
        /// The option or setting that chooses another port.
        option: String,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {address}: {source}; choose another address with {option}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
        /// The option or setting that chooses another address.
        option: String,
    },
}

/// Opens a listening socket, non-blocking and ready for `tokio::net::TcpListener::from_std`.
///
/// `option` is the name of the setting that chooses another port, as the user knows it (`--mqtt-port`).
pub fn bind(address: SocketAddr, option: &str) -> Result<TcpListener, PortError> {
    let opened = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    opened.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => PortError::InUse {
            port: address.port(),
            holder: holder(address.port()).unwrap_or_else(|| "another program".to_owned()),
            option: option.to_owned(),
        },
        _ => PortError::Bind { address, source, option: option.to_owned() },
    })
}

/// Names the process that listens on a TCP port, as `"name" (pid N)`; `None` where `/proc` does not show it.
pub fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path())
                .is_ok_and(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
        });
        if !holds {
            return None;
        }
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some(format!("\"{}\" (pid {pid})", name.trim()))
    })
}

/// Inodes of the sockets in state LISTEN (0A) on the port; format in `proc_net_tcp` of the kernel's documentation.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let ending = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listens = columns.get(1)?.ends_with(&ending) && *columns.get(3)? == "0A";
            listens.then(|| columns.get(9).map(|inode| (*inode).to_owned())).flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--port").unwrap();
        let error = bind(first.local_addr().unwrap(), "--port").unwrap_err().to_string();
        assert!(error.contains("is in use by"), "{error}");
        assert!(error.ends_with("stop it or choose another with --port"), "{error}");
        if cfg!(target_os = "linux") {
            assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        }
    }
}
