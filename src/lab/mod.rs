//! Real daemons in throw-away network namespaces, one node a daemon, on one bridge, with faults and measured times.
//!
//! Nothing here is needed by the daemon. The host's network, files and processes are not touched: everything happens in
//! private namespaces ([`enter`]), which the kernel destroys together with their last process, however that process ends.
//!
//! Who is master is decided by looking, never by asking the daemon: the kernel's addresses in each node (netlink) and the
//! packets that each node sends (a packet socket on the bridge's ports).

mod ask;
mod checks;
mod chronicle;
mod cluster;
mod command;
mod editor;
mod faults;
mod files;
mod input;
mod node;
mod observer;
mod plan;
mod programs;
mod rtnl;
mod sandbox;
mod screen;
mod seed;
mod session;
mod table;
mod topology;

pub use command::{HELP, HOW_CHECKS_FAIL, duration};
pub use faults::Cut;
pub use input::Input;
pub use node::{HostFiles, Node, NodeId, NodeSpec};
pub use observer::{AdvertSeen, AnnounceKind, Frame, Seen};
pub use programs::{Process, ProgramId};
pub use sandbox::{Outcome, enter};
pub use seed::{SEED, SeedFile, play_seed};
pub use session::{Cast, Manner, cast, play_files};
pub use topology::{BridgeId, Happening, Lab, Moment};
