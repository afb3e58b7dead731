//! Safe wrappers of the kernel interface: no policy, no knowledge of instances, and the only place with `unsafe`.
//!
//! What `std`, `nix` and `rustix` offer safely is used from there directly; this module adds what they lack or what needs
//! a fixed combination of flags (everything close-on-exec, everything non-blocking).

mod confine;
mod datagrams;
mod epoll;
mod eventfd;
mod fork;
mod heap;
mod heartbeat;
mod linkbeat;
mod lock;
mod memfd;
mod mount;
mod packet;
mod reap;
mod scheduling;
mod seqpacket;
mod signal;
mod spawn;
#[cfg(test)]
mod strtol;
mod terminal;
mod timer;

pub use confine::{Capability, forbid_exec, has_capability, keep_capabilities, use_capabilities};
pub use datagrams::{Inbox, Incoming, Outgoing, send_datagrams};
pub use epoll::{Epoll, Events, Interest, Ready};
pub use eventfd::EventFd;
pub use fork::{default_signals, fork};
pub use heap::give_back_memory;
pub use heartbeat::Heartbeat;
pub use linkbeat::{ethtool_link, link_flags, mii_link};
pub use lock::{Range, conflict, try_lock};
pub use memfd::{memory_file, reader, seal};
pub use mount::{make_read_only, make_writable};
pub use packet::FrameSender;
pub use reap::{Dead, End, Which, next_dead, reap};
pub use scheduling::{become_real_time, lock_memory};
pub use seqpacket::{Datagram, Seqpacket};
pub use signal::{SignalFd, SignalInfo, block_signals, realtime_max, realtime_min, send_signal};
pub use spawn::{Program, User, spawn};
#[cfg(test)]
pub(crate) use strtol::strtol;
pub use terminal::terminal_size;
pub use timer::Timer;
