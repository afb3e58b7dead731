//! What goes out of the core. Every effect on the world is one of these values; order within one transition is part of the behaviour.

use super::happening::Happening;
use super::log_event::LogEvent;
use super::reason::Reason;
use super::snapshot::Problem;
pub use crate::model::StateName;
use crate::model::{
    Family, IfIndex, IfName, InstanceId, LinkBeatMethod, Notice, NotifyKind, NotifyOwner, Priority, RunId, ScriptId,
    Ticket, VirtualAddress,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// One output of [`super::Core::poll_action`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Send one advert to one destination.
    Transmit(Transmit),
    /// Have these sockets open; repeated with another `vrids` it changes the filter.
    OpenSocket(SocketSpec),
    /// Close these sockets.
    CloseSocket(SocketSpec),
    /// Wish: these addresses are on their interfaces. Replaces any older wish of the instance that has not been carried out.
    SetAddresses(AddressWish),
    /// Wish: these addresses are not on their interfaces. Those that are not there are no error. Replaces any older wish.
    ClearAddresses(AddressWish),
    /// Set one address of the present wish again that somebody deleted.
    RestoreAddress {
        /// Whose.
        instance: InstanceId,
        /// The wish.
        ticket: Ticket,
        /// Position in the wish's list.
        index: u32,
    },
    /// Send gratuitous ARPs or unsolicited NAs: `rounds` times all of `addresses` in order.
    Announce(Announce),
    /// Ask an interface whether it has a link; [`super::Event::LinkBeat`] answers, if there is an answer.
    AskLink {
        /// Its number.
        interface: IfIndex,
        /// Its name.
        name: IfName,
        /// How to ask; `None`, and where this is not supported: the first way that works.
        method: Option<LinkBeatMethod>,
    },
    /// Start a check program.
    RunScript {
        /// Name of this run.
        run: RunId,
        /// Which program.
        script: ScriptId,
    },
    /// Signal the process group of a run.
    KillScript {
        /// Which run.
        run: RunId,
        /// With what.
        signal: KillSignal,
    },
    /// An instance changed its state, and what had to come before this news is done.
    StateChanged(StateChange),
    /// A sync group changed its state, and its members have told theirs.
    GroupChanged(GroupChange),
    /// This is to be told to FIFOs now. Programs follow by [`Action::RunNotify`].
    Notify(Notify),
    /// Start a program that is told of something; [`super::Event::ScriptEnded`] answers.
    RunNotify(Box<RunNotify>),
    /// A line for the log.
    Log(LogEvent),
    /// This happened: for whoever asks later.
    Happened(Box<Happening>),
    /// Everything that a [`super::Event::Shutdown`] asked for is done.
    Stopped,
}

/// One advert for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transmit {
    /// Whose.
    pub instance: InstanceId,
    /// Link to send on; `None` lets the kernel route (unicast without interface).
    pub interface: Option<IfIndex>,
    /// Source address.
    pub source: IpAddr,
    /// A group or a peer.
    pub destination: IpAddr,
    /// TTL or hop limit; `None` = the kernel's default.
    pub ttl: Option<u8>,
    /// IPv4 identification, counted per cycle.
    pub ip_id: u16,
    /// Priority inside, for those who only want to know.
    pub priority: Priority,
    /// Protocol number: 112, or 51 with AH.
    pub protocol: u8,
    /// What follows the IP header: the VRRP message, checksum included (for IPv6 as well), with whatever authenticates it.
    pub message: Arc<[u8]>,
}

/// Which VRRP sockets: instances with the same key share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketSpec {
    /// Link that they are bound to.
    pub interface: Option<IfIndex>,
    /// Family.
    pub family: Family,
    /// Whether the adverts are inside AH (protocol 51 instead of 112).
    pub ah: bool,
    /// What is received.
    pub receive: Receive,
    /// VRIDs that are wanted from them, ascending; everything else may be dropped in the kernel.
    pub vrids: Vec<u8>,
}

/// What a socket receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Receive {
    /// Adverts to this group.
    Group(IpAddr),
    /// Adverts to this own address.
    Unicast(IpAddr),
}

/// The addresses of an instance: the advertised ones first, then the excluded ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressWish {
    /// Whose.
    pub instance: InstanceId,
    /// Name of this wish; completions carry it.
    pub ticket: Ticket,
    /// What.
    pub addresses: Arc<[VirtualAddress]>,
    /// How many of them, from the front, stand in the advert; these go first.
    pub advertised: u32,
}

/// Gratuitous ARPs and unsolicited NAs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Whose.
    pub instance: InstanceId,
    /// The wish that the addresses belong to; nothing is sent any more when a newer one has come.
    pub ticket: Ticket,
    /// Address and interface, in order.
    pub addresses: Vec<(IpAddr, IfName)>,
    /// How often, back to back.
    pub rounds: u32,
    /// Whether [`super::Event::Announced`] is wanted when the last frame has left.
    pub report: bool,
}

/// How hard a run is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillSignal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Whose programs are run one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// An instance.
    Instance(InstanceId),
    /// A sync group, by name.
    Group(Arc<str>),
}

/// Something that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// Of whom.
    pub subject: Subject,
    /// What.
    pub notice: Arc<Notice>,
}

/// A program that is told of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNotify {
    /// Name of this run.
    pub run: RunId,
    /// Of which configuration: the one that was in force after so many reloads ([`super::Core::epoch`]).
    pub epoch: u64,
    /// Whose program.
    pub owner: NotifyOwner,
    /// Which of its programs.
    pub kind: NotifyKind,
    /// What it is told.
    pub notice: Arc<Notice>,
}

/// News of a sync group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChange {
    /// Its name.
    pub name: Arc<str>,
    /// Before.
    pub from: StateName,
    /// Now.
    pub to: StateName,
    /// Counts the transitions of this group from 1.
    pub sequence: u64,
}

impl Action {
    /// A problem came up, or has gone.
    pub(super) fn problem(raised: bool, problem: Problem) -> Self {
        let happened = if raised {
            Happening::Raised(problem)
        } else {
            Happening::Cleared(problem)
        };
        Self::Happened(happened.into())
    }
}

/// News of a transition, for notify sinks and event streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    /// Whose.
    pub instance: InstanceId,
    /// Name of the instance.
    pub name: Arc<str>,
    /// Before.
    pub from: StateName,
    /// Now.
    pub to: StateName,
    /// Effective priority now.
    pub priority: Priority,
    /// Why.
    pub reason: Reason,
    /// Counts the transitions of this instance from 1.
    pub sequence: u64,
}
