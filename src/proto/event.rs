//! What comes into the core. Everything that the core learns of the world is one of these values.

use crate::model::{
    IfIndex, IfName, InstanceId, LinkBeatMethod, MacAddr, Micros, Model, ProcessId, RunId, Ticket, TrackedFileId,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::action::SocketSpec;

/// One input of [`super::Core::handle`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event<'a> {
    /// The links and addresses of the host have all been told: instances take their first state (behaviour §1.3).
    Start,
    /// A datagram came out of a VRRP socket.
    Packet(Packet<'a>),
    /// A link appeared or changed.
    Link(Link),
    /// A link was deleted.
    LinkGone(IfIndex),
    /// A link has answered [`super::Action::AskLink`].
    LinkBeat {
        /// Which.
        interface: IfIndex,
        /// Whether it is administratively up and has a link.
        up: bool,
        /// The way that worked.
        method: LinkBeatMethod,
    },
    /// An address appeared on a link. Tentative IPv6 addresses are told when they have become usable.
    AddressAdded(LinkAddress),
    /// An address vanished from a link, by whatever cause.
    AddressGone(LinkAddress),
    /// Sockets of this kind are open and joined.
    SocketOpen(SocketSpec),
    /// Sockets of this kind could not be opened; the adapter tries again by itself.
    SocketFailed {
        /// Which sockets.
        socket: SocketSpec,
        /// The kernel's error number.
        errno: i32,
        /// The call that failed, such as `bind` or `IP_ADD_MEMBERSHIP`.
        call: Cow<'static, str>,
    },
    /// An advert could not be sent.
    TransmitFailed {
        /// Whose.
        instance: InstanceId,
        /// Where it was to go.
        destination: IpAddr,
        /// The kernel's error number.
        errno: i32,
        /// Whether it was a priority 0 advert.
        release: bool,
    },
    /// Addresses `first .. first + count` of the wish `ticket` are on their interfaces.
    AddressesPresent {
        /// Whose.
        instance: InstanceId,
        /// Of which [`super::Action::SetAddresses`].
        ticket: Ticket,
        /// Position of the first in that action's list.
        first: u32,
        /// How many.
        count: u32,
        /// Whether the whole wish is now fulfilled, apart from addresses told as failed.
        complete: bool,
    },
    /// One address of the wish could not be set.
    AddressFailed {
        /// Whose.
        instance: InstanceId,
        /// Of which [`super::Action::SetAddresses`].
        ticket: Ticket,
        /// Its position in that action's list.
        index: u32,
        /// The kernel's error number.
        errno: i32,
    },
    /// All addresses of a [`super::Action::ClearAddresses`] are gone.
    AddressesGone {
        /// Whose.
        instance: InstanceId,
        /// Of which action.
        ticket: Ticket,
    },
    /// Somebody else deleted an address that we had set and still want.
    AddressStolen {
        /// Whose.
        instance: InstanceId,
        /// The wish that it belongs to.
        ticket: Ticket,
        /// Its position in the wish's list.
        index: u32,
        /// Who did it, as far as the kernel tells.
        culprit: Culprit,
    },
    /// The first burst of an [`super::Action::Announce`] has left.
    Announced {
        /// Whose.
        instance: InstanceId,
        /// Of which wish.
        ticket: Ticket,
    },
    /// A program that [`super::Action::RunScript`] asked for has ended, or could not be started.
    ScriptEnded {
        /// Which run.
        run: RunId,
        /// How.
        outcome: RunOutcome,
    },
    /// A tracked file or process is seen to be so.
    Observed(Observation),
    /// Another node claimed an address by ARP or by a neighbour advertisement. Probes (sender 0.0.0.0 or ::) are not told.
    NeighbourClaim {
        /// Link that it was heard on.
        interface: IfIndex,
        /// The address.
        address: IpAddr,
        /// Where the other one says that it is.
        mac: MacAddr,
    },
    /// The process, or the whole machine, did not run for this long. Told before the packets that have waited meanwhile.
    Stalled {
        /// How long.
        gap: Micros,
    },
    /// Somebody wants the counters to begin anew (SIGRTMAX-1).
    ClearCounters,
    /// The time of day, in microseconds since 1970. Told at the start and when it no longer goes with the monotonic clock;
    /// only `auth_hmac` looks at it.
    WallClock(Micros),
    /// A new configuration, already checked.
    Reload(Arc<Model>),
    /// Stop, but leave everything as it is and tell the other routers nothing (`-V`): only programs are told.
    Leave,
    /// Somebody wants instances out of service: mastership is handed over, and others go first from now on.
    Drain {
        /// The instance, and the others of its sync group; `None` = all, also those that a reload adds.
        name: Option<Arc<str>>,
        /// For how long; `None` = until [`Event::Resume`].
        length: Option<Micros>,
        /// Stay out even when nobody else is master.
        force: bool,
    },
    /// The end of a drain.
    Resume {
        /// The instance, and the others of its sync group; `None` = all.
        name: Option<Arc<str>>,
    },
    /// Stop in order: release mastership, remove addresses, then [`super::Action::Stopped`].
    Shutdown,
}

/// A received datagram.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Packet<'a> {
    /// Link that it came in on.
    pub interface: Option<IfIndex>,
    /// How long ago it arrived.
    pub age: Micros,
    /// Its bytes, as the kernel's raw sockets give them.
    pub datagram: Datagram<'a>,
}

impl Packet<'_> {
    /// How long ago a packet came, by the wall clock alone: `wall` now minus the kernel's stamp, never more than the time
    /// since its socket was last found empty. So a step of the wall clock cannot move a packet out of the time in which it came.
    #[must_use]
    pub fn age(wall: Micros, stamp: Micros, since_empty: Micros) -> Micros {
        wall.saturating_sub(stamp).min(since_empty)
    }
}

/// Bytes of a datagram.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Datagram<'a> {
    /// The whole IPv4 datagram, header included.
    Ipv4(Cow<'a, [u8]>),
    /// The payload of an IPv6 datagram and what its header said.
    Ipv6 {
        /// Source address.
        source: Ipv6Addr,
        /// Destination address.
        destination: Ipv6Addr,
        /// Hop limit, if the kernel told it.
        hop_limit: Option<u8>,
        /// What follows the IPv6 header.
        message: Cow<'a, [u8]>,
    },
}

/// A link as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub index: IfIndex,
    /// Its name. A link that is told with another name counts as gone and new.
    pub name: IfName,
    /// `IFF_UP && IFF_RUNNING`.
    pub running: bool,
    /// Hardware address, if it has a six byte one.
    pub mac: Option<MacAddr>,
    /// Largest datagram, in bytes.
    pub mtu: u32,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// `IFF_NOARP`.
    pub no_arp: bool,
    /// `IFF_MULTICAST`.
    pub multicast: bool,
    /// The kernel's whole flag word, for the log.
    #[serde(default)]
    pub flags: u32,
}

/// An address on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The link.
    pub index: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_len: u8,
}

/// Who deleted an address of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Netlink port id of the request; 0 = the kernel itself.
    pub port: u32,
    /// Name of the process with that id, if it still lives.
    pub process: Option<String>,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.process, self.port) {
            (Some(process), port) => write!(f, "{process} (port {port})"),
            (None, 0) => f.write_str("somebody whom the kernel does not name"),
            (None, port) => write!(f, "netlink port {port}"),
        }
    }
}

/// What is seen of files and processes. Told anew by an observer that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// A `track_file` was read.
    File {
        /// Which.
        file: TrackedFileId,
        /// What it holds.
        reading: FileReading,
    },
    /// The processes are told anew from here on.
    ProcessesBegin {
        /// How they are watched.
        watch: ProcessWatch,
        /// `/proc` hides from the observer what others run.
        #[serde(default)]
        hidden: bool,
    },
    /// A process that a `vrrp_track_process` looks for.
    Process {
        /// Which block.
        process: ProcessId,
        /// Its process id.
        pid: u32,
        /// What happened to it.
        change: ProcessChange,
    },
    /// All processes that ran at the beginning have been told.
    ProcessesTold,
}

/// What a tracked file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileReading {
    /// This number; 0 if it is empty or begins with something else.
    Number(i32),
    /// A number that fits no 32 bits.
    TooLarge(i64),
    /// There is no such file.
    Missing,
    /// It cannot be read; the kernel's error number.
    Unreadable(i32),
    /// Its file system tells nobody of changes, so it is not looked at.
    Unwatchable,
}

/// What happened to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessChange {
    /// A process that is looked for made it by fork.
    Forked,
    /// It became one by exec or by a new name, or it was found.
    Became,
    /// It is one no more, by exec or by a new name.
    Ceased,
    /// It ended.
    Ended,
}

/// How processes are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessWatch {
    /// The kernel tells every fork, exec and exit (proc connector).
    Connector,
    /// By looking through `/proc` now and then; ends are told by the kernel at once (pidfd).
    Scan,
}

impl ProcessWatch {
    /// The words for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connector => "the proc connector",
            Self::Scan => "scans of /proc",
        }
    }
}

/// How a run of a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
    /// It could not be started; the kernel's error number.
    NotStarted(i32),
}
