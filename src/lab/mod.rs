//! Real daemons in throw-away network namespaces, one node a daemon, on one bridge, with faults and measured times.
//!
//! Nothing here is needed by the daemon. The host's network, files and processes are not touched: everything happens in
//! private namespaces ([`enter`]), which the kernel destroys together with their last process, however that process ends.
//!
//! Who is master is decided by looking, never by asking the daemon: the kernel's addresses in each node (netlink) and the
//! packets that each node sends (a packet socket on the bridge's ports).

mod faults;
mod node;
mod observer;
mod programs;
mod rtnl;
mod sandbox;
mod seed;
mod topology;

pub use faults::Cut;
pub use node::{Node, NodeId, NodeSpec};
pub use observer::{AdvertSeen, AnnounceKind, Frame, Seen};
pub use programs::{Process, ProgramId};
pub use sandbox::{Outcome, enter};
pub use seed::{SEED, SeedFile, play_seed};
pub use topology::{Happening, Lab, Moment};
