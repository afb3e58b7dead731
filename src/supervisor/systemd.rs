//! What the service manager is told (`sd_notify`): datagrams to the socket that `NOTIFY_SOCKET` names. Without that
//! variable nothing is sent.

use crate::system::clock;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    socket: Option<UnixDatagram>,
}

impl ServiceManager {
    /// The one that the environment names.
    pub(super) fn from_environment() -> Self {
        let Ok(name) = std::env::var("NOTIFY_SOCKET") else {
            return Self::default();
        };
        match connect(&name) {
            Ok(socket) => Self { socket: Some(socket) },
            Err(error) => {
                tracing::warn!("cannot reach the service manager at {name} (NOTIFY_SOCKET): {error}");
                Self::default()
            }
        }
    }

    /// Everything is set up, at the start or after a reload.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS={status}", std::process::id()));
    }

    /// A reload begins. The time makes `Type=notify-reload` work.
    pub(super) fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::now().0));
    }

    /// The stop begins.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// The daemon cannot run: an error number that says why.
    pub(super) fn failed(&self, errno: i32) {
        self.send(&format!("ERRNO={errno}"));
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            if let Err(error) = socket.send(message.as_bytes()) {
                tracing::warn!(
                    "cannot tell the service manager `{}`: {error}",
                    message.replace('\n', " ")
                );
            }
        }
    }
}

/// A name that begins with `@` is in the abstract namespace.
fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_that_systemd_reads() {
        let name = format!("vrrpd-test-notify-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = ServiceManager {
            socket: Some(connect(&format!("@{name}")).unwrap()),
        };
        manager.ready("running");
        manager.reloading();
        manager.stopping();
        let receive = || {
            let mut buffer = [0; 200];
            let len = listener.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..len].to_vec()).unwrap()
        };
        // samples/systemd-notify: READY=1\nMAINPID=55, RELOADING=1, STOPPING=1.
        assert_eq!(
            receive(),
            format!("READY=1\nMAINPID={}\nSTATUS=running", std::process::id())
        );
        assert!(receive().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(receive(), "STOPPING=1");
    }
}
