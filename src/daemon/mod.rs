//! The real driver of [`crate::proto::Core`]: the process that speaks VRRP.
//!
//! Three threads: `engine` owns the core and its sockets, `kernel` everything that waits for the kernel's configuration
//! lock, `services` everything slow. Bounded rings lie between them.
//! A fourth lives while somebody wants to know what a reload means (`foresight`). Nothing here decides a rule of the protocol.

mod dump;
mod engine;
mod foresight;
mod kernel;
mod memory;
mod notices;
mod ring;
mod services;
mod wording;

use crate::supervisor::{DaemonStart, exit};
use crate::sys;
use crate::system::socket::SendSockets;

/// Signals that the daemon reads from a descriptor; the others stay blocked.
fn signals() -> [i32; 7] {
    let (clear, json) = (sys::realtime_max() - 1, sys::realtime_min() + 2);
    [
        libc::SIGHUP,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        clear,
        json,
    ]
}

/// Runs the daemon until it is told to stop; the exit status of its process.
#[must_use]
pub fn daemon_main(mut start: DaemonStart) -> i32 {
    let sockets = match SendSockets::open() {
        Ok(sockets) => sockets,
        Err(error) => {
            tracing::error!("cannot open a raw socket for adverts: {error}. It needs CAP_NET_RAW");
            return exit::MISSING_PERMISSION;
        }
    };
    let buffers = &start.config.model.global.netlink_buffers;
    let guard = start.channel.sender.clone();
    let wires = match kernel::start(buffers, guard, start.options.address_monitoring) {
        Ok(wires) => wires,
        Err(error) => {
            tracing::error!("cannot watch the network configuration: {error}. It needs CAP_NET_ADMIN and CAP_NET_RAW");
            return exit::MISSING_PERMISSION;
        }
    };
    let services = match services::start(&mut start) {
        Ok(services) => services,
        Err(error) => {
            tracing::error!("cannot start the services thread: {error}");
            return exit::FATAL;
        }
    };
    match engine::Engine::new(start, sockets, wires, services) {
        Ok(mut engine) => engine.run(),
        Err(error) => {
            tracing::error!("cannot start the engine: {error}");
            exit::FATAL
        }
    }
}
