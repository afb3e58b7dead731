//! What the core has to say, as values. The words (keepalived's) are put to them in one place outside, `daemon::wording`.

use super::action::StateName;
use super::counters::DropReason;
use super::event::{Culprit, RunOutcome};
use super::reason::Reason;
use super::snapshot::Problem;
use crate::model::{Family, IfName, LinkBeatMethod, MacAddr, Micros, NotifyKind, Priority, VirtualAddress};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// A line about one instance, one script or one interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LogEvent {
    /// A line about an instance.
    Instance {
        /// Its name.
        name: Arc<str>,
        /// What.
        line: InstanceLine,
    },
    /// A line about a script.
    Script {
        /// Its name.
        name: Arc<str>,
        /// What.
        line: ScriptLine,
    },
    /// A line about a tracked file.
    File {
        /// Its name.
        name: Arc<str>,
        /// What.
        line: FileLine,
    },
    /// A line about a tracked process.
    Process {
        /// Its name.
        name: Arc<str>,
        /// What.
        line: ProcessLine,
    },
    /// A line about an interface.
    Interface {
        /// Its name.
        name: IfName,
        /// What.
        line: InterfaceLine,
    },
    /// With `-D`: A burst of announcements begins, one line a frame.
    Announcing {
        /// The instance's name.
        name: Arc<str>,
        /// Where and what; whether it goes at once or waits for its turn (`garp_interval`, `gna_interval`).
        addresses: Vec<(IfName, IpAddr, Pace)>,
        /// How often each address is announced.
        rounds: u32,
    },
    /// A line about a sync group.
    Group {
        /// Its name.
        name: Arc<str>,
        /// What.
        line: GroupLine,
    },
    /// A line about an address of `static_ipaddress`.
    Static {
        /// Which.
        address: Box<VirtualAddress>,
        /// The `track_group` that follows it.
        group: Option<Arc<str>>,
        /// What.
        line: StaticLine,
    },
    /// The start is delayed.
    StartupDelay {
        /// By how much; `None`: no longer.
        delay: Option<Micros>,
    },
    /// A line about the programs that are told of changes.
    Notify {
        /// The name of the instance or group.
        name: Arc<str>,
        /// What.
        line: NotifyLine,
    },
    /// Something that an operator should look at, and that is no instance's alone, came up or has gone.
    Problem {
        /// Whether it came up.
        raised: bool,
        /// What.
        problem: Problem,
    },
    /// The process did not run for this long.
    TimerLate {
        /// How long.
        late: Micros,
    },
    /// Lines about adverts were held back by the rate limit.
    Suppressed {
        /// Whose.
        name: Arc<str>,
        /// How many.
        lines: u64,
        /// Since when.
        within: Micros,
    },
}

/// What a line says of a static address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaticLine {
    /// Its interface does not exist.
    Waits,
    /// Somebody deleted it; it is set again.
    Restored {
        /// Who.
        culprit: Culprit,
    },
    /// The kernel would not set it.
    Refused {
        /// The kernel's error number.
        errno: i32,
    },
    /// A reload takes it away.
    Leaves,
}

/// When an announcement leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pace {
    /// At once.
    Direct,
    /// When it is its turn.
    Queued,
    /// Never: the interface speaks no ARP, or has no hardware address.
    Never,
}

/// What a line says of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum InstanceLine {
    /// Its interface speaks no ARP.
    ArpOff,
    /// Backup at the start.
    EnteringBackupInit,
    /// Backup later.
    EnteringBackup,
    /// Master.
    EnteringMaster,
    /// Fault.
    EnteringFault,
    /// Why it has entered the state that the line before names.
    Because {
        /// The state.
        to: StateName,
        /// Why.
        reason: Reason,
    },
    /// Somebody drained it.
    Drained {
        /// For how long; `None` = until it is resumed.
        length: Option<Micros>,
        /// Whether it stays out even when nobody else is master.
        force: bool,
    },
    /// It takes part again.
    Resumed {
        /// Whether its time was over; else somebody resumed it.
        time_over: bool,
    },
    /// Something that an operator should look at came up or has gone.
    Problem {
        /// Whether it came up.
        raised: bool,
        /// What.
        problem: Problem,
    },
    /// Fault at the start, because an interface is down.
    FaultAtStartInterface {
        /// Which.
        interface: IfName,
    },
    /// Fault at the start, because there is no address to send from.
    FaultAtStartNoAddress {
        /// Of which family.
        family: Family,
    },
    /// Fault at the start, because a script failed.
    FaultAtStartScript {
        /// Which.
        script: Arc<str>,
    },
    /// Fault at the start, because of the number in a file.
    FaultAtStartFile {
        /// Which.
        file: Arc<str>,
        /// The number.
        value: i32,
    },
    /// Fault at the start, because too few or too many processes run.
    FaultAtStartProcess {
        /// Which.
        process: Arc<str>,
    },
    /// With `-D`: The number in a file is a fault, or no more.
    FileFault {
        /// Which.
        file: Arc<str>,
        /// Whether it is one now.
        begins: bool,
    },
    /// With `-D`: The priority after a fault that a file caused.
    SettingPriority {
        /// The priority.
        to: Priority,
    },
    /// Fault because of the configuration.
    FaultConfiguration {
        /// What.
        detail: String,
    },
    /// With `-D`: The master down timer fired.
    ReceiveTimeout,
    /// The priority changed.
    EffectivePriority {
        /// Before.
        from: Priority,
        /// After.
        to: Priority,
    },
    /// With `-D`: Addresses are being set.
    SettingVips {
        /// Whether the excluded ones.
        excluded: bool,
    },
    /// With `-D`: Addresses are being removed.
    RemovingVips {
        /// Whether the excluded ones.
        excluded: bool,
    },
    /// With `-D`: A priority 0 advert was sent.
    SentPriorityZero,
    /// With `-D`: The first master heard.
    MasterSet {
        /// Its address.
        to: IpAddr,
    },
    /// With `-D`: Another master is heard.
    MasterChanged {
        /// The former.
        from: IpAddr,
        /// The new one.
        to: IpAddr,
    },
    /// With `-D`: A backup heard priority 0.
    BackupPriorityZero,
    /// With `-D`: A master heard priority 0.
    MasterPriorityZero,
    /// A backup heard a worse master.
    LowerPriorityDiscarded {
        /// Its priority.
        priority: Priority,
        /// Its address.
        from: IpAddr,
    },
    /// A master heard a worse one.
    MasterHeardLower {
        /// Its address.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
        /// Whether an advert answers it.
        answered: bool,
    },
    /// A master heard a better one.
    MasterHeardHigher {
        /// Its address.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// A master heard its equal with a higher address.
    MasterHeardHigherAddress {
        /// Its address.
        from: IpAddr,
        /// The priority of both.
        priority: Priority,
    },
    /// A master heard its equal with its own address.
    EqualPriorityOwnAddress,
    /// With `-D`: The preempt delay began.
    PreemptDelayStart {
        /// How long.
        delay: Micros,
    },
    /// With `-D`: The preempt delay ended early.
    PreemptDelayStop,
    /// Both are address owners.
    TwoOwners {
        /// The other.
        other: IpAddr,
    },
    /// The other owner goes on.
    OwnerYields {
        /// The other.
        other: IpAddr,
    },
    /// The other owner fell silent.
    RogueOwnerGone,
    /// Priority 255 again.
    OwnerRestored {
        /// Because a lower advert was heard; else because the other owner is gone.
        lower_heard: bool,
    },
    /// With `-D`: The learned interval changed.
    IntervalLearned {
        /// Before.
        from: Micros,
        /// After.
        to: Micros,
    },
    /// An advert was dropped.
    Dropped {
        /// Its sender.
        from: IpAddr,
        /// Why, with what the log line shows.
        why: DropDetail,
    },
    /// An advert was accepted although something differs.
    Differs {
        /// Its sender.
        from: IpAddr,
        /// What.
        what: Difference,
    },
    /// An old unicast checksum was heard and is used from now on.
    OldUnicastChecksum,
    /// An advert could not be sent.
    SendFailed {
        /// To whom, for unicast.
        to: Option<IpAddr>,
        /// The kernel's error number.
        errno: i32,
    },
    /// An address could not be set.
    AddressFailed {
        /// Which.
        address: IpAddr,
        /// Where.
        interface: IfName,
        /// The kernel's error number.
        errno: i32,
    },
    /// A reload takes an address away.
    AddressLeaves {
        /// Which.
        address: IpAddr,
        /// Its prefix length.
        prefix_len: u8,
        /// Where.
        interface: IfName,
    },
    /// Somebody deleted an address of ours.
    AddressStolen {
        /// Which.
        address: IpAddr,
        /// Where.
        interface: IfName,
        /// Netlink port id of who did it.
        port: u32,
        /// Its name.
        process: Option<String>,
        /// Whether it is put back; else the instance gives up.
        restored: bool,
    },
    /// Another node claims an address of ours.
    ForeignClaim {
        /// Which.
        address: IpAddr,
        /// Where it was heard.
        interface: IfName,
        /// Who claims it.
        mac: MacAddr,
        /// Whether this was the last answer of a row.
        last: bool,
    },
    /// A master was asleep for longer than the others wait.
    Stalled {
        /// How long.
        gap: Micros,
        /// Whether it listens before it goes on.
        listens: bool,
    },
    /// The source address changed.
    SourceChanged {
        /// To what; `None` = there is none.
        to: Option<IpAddr>,
    },
    /// A socket could not be opened.
    SocketFailed {
        /// The call.
        call: String,
        /// The kernel's error number.
        errno: i32,
    },
}

/// Why an advert was dropped, with the numbers of the log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropDetail {
    /// Length.
    Length {
        /// What arrived, IP header included for IPv4.
        received: usize,
        /// What its own header asks for.
        expected: usize,
    },
    /// IPv4 total length.
    TotalLength {
        /// In the header.
        stated: usize,
        /// What arrived.
        received: usize,
    },
    /// TTL or hop limit.
    Ttl {
        /// What arrived.
        received: u8,
    },
    /// TTL of a unicast peer.
    PeerTtl {
        /// What arrived.
        received: u8,
        /// `min_ttl`.
        min: u8,
        /// `max_ttl`.
        max: u8,
    },
    /// Version.
    Version {
        /// What arrived.
        received: u8,
        /// Ours.
        expected: u8,
    },
    /// Type.
    Type {
        /// What arrived.
        received: u8,
    },
    /// Checksum.
    Checksum {
        /// Of which version.
        version: u8,
    },
    /// Authentication type unknown.
    AuthType {
        /// What arrived.
        received: u8,
    },
    /// Authentication type other than ours.
    AuthMismatch {
        /// What arrived.
        received: u8,
        /// Ours.
        expected: u8,
    },
    /// An AH header that is not configured.
    UnexpectedAh,
    /// No AH header although it is configured.
    MissingAh,
    /// Wrong password.
    Password,
    /// An AH header of another length than 24 bytes.
    AhLength {
        /// Its length field.
        received: u8,
    },
    /// An AH header before something else than VRRP.
    AhNextHeader {
        /// Its protocol field.
        received: u8,
    },
    /// Wrong sum of an AH header.
    AhSum,
    /// The SPI of an AH header is not the source address.
    AhSpi {
        /// What arrived.
        received: u32,
        /// The source address.
        expected: u32,
    },
    /// An AH header that is not newer than one heard before.
    AhSequence {
        /// What arrived.
        received: u32,
        /// The highest one heard or sent.
        last: u32,
    },
    /// No `auth_hmac` trailer.
    TrailerMissing,
    /// A trailer of another type, or with reserved bits.
    TrailerMalformed,
    /// A trailer whose time is outside the window.
    Stale {
        /// Our clock minus its, in seconds.
        skew_s: i64,
        /// The window, in seconds.
        window_s: u64,
    },
    /// A trailer made with a key that we do not have.
    UnknownKey {
        /// Its id.
        id: u8,
    },
    /// Wrong sum of a trailer.
    Hmac,
    /// A trailer that is not newer than one heard before from the same sender.
    Replayed,
    /// Version 2 interval.
    Interval {
        /// Ours, in seconds.
        ours_s: u16,
        /// Theirs, in seconds.
        theirs_s: u8,
    },
    /// Interval 0.
    ZeroInterval,
    /// Multicast for unicast or the reverse.
    Destination {
        /// Whether it was multicast.
        multicast: bool,
    },
    /// A source address that no router can have.
    Source,
    /// Not a unicast peer.
    NotAPeer,
    /// We are the owner.
    OwnerIgnores,
    /// Our own advert.
    OwnAdvert,
}

impl DropDetail {
    /// The counter that this goes to.
    #[must_use]
    pub const fn reason(&self) -> DropReason {
        match self {
            Self::Length { .. } => DropReason::Length,
            Self::TotalLength { .. } => DropReason::TotalLength,
            Self::Ttl { .. } | Self::PeerTtl { .. } => DropReason::Ttl,
            Self::Version { .. } => DropReason::Version,
            Self::Type { .. } => DropReason::Type,
            Self::Checksum { .. } => DropReason::Checksum,
            Self::AuthType { .. } => DropReason::AuthType,
            Self::AuthMismatch { .. } | Self::UnexpectedAh | Self::MissingAh => DropReason::AuthMismatch,
            Self::Password | Self::AhNextHeader { .. } | Self::AhSum | Self::AhSpi { .. } | Self::AhSequence { .. } => {
                DropReason::AuthFailure
            }
            Self::AhLength { .. } => DropReason::Length,
            Self::TrailerMissing => DropReason::AuthMissing,
            Self::TrailerMalformed => DropReason::AuthMalformed,
            Self::Stale { .. } => DropReason::AuthStale,
            Self::UnknownKey { .. } => DropReason::AuthUnknownKey,
            Self::Hmac => DropReason::AuthHmac,
            Self::Replayed => DropReason::AuthReplay,
            Self::Interval { .. } | Self::ZeroInterval => DropReason::Interval,
            Self::Destination { .. } => DropReason::Destination,
            Self::Source => DropReason::Source,
            Self::NotAPeer => DropReason::NotAPeer,
            Self::OwnerIgnores => DropReason::OwnerIgnores,
            Self::OwnAdvert => DropReason::OwnAdvert,
        }
    }
}

/// What differs between an accepted advert and our configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference {
    /// Number of addresses.
    AddressCount {
        /// Ours.
        ours: usize,
        /// Theirs.
        theirs: usize,
    },
    /// An address of ours is missing there.
    AddressMissing {
        /// VRID.
        vrid: u8,
        /// The first one missing.
        address: IpAddr,
    },
    /// The clock of a signed advert is near the edge of the window.
    ClockSkew {
        /// Our clock minus its, in seconds.
        skew_s: i64,
        /// The window, in seconds.
        window_s: u64,
    },
    /// Version 3 interval.
    Interval {
        /// Ours, in centiseconds.
        ours_cs: u16,
        /// Theirs, in centiseconds.
        theirs_cs: u16,
    },
}

/// What a line says of a notify program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotifyLine {
    /// It did not end well.
    Ended {
        /// Which.
        kind: NotifyKind,
        /// How.
        outcome: RunOutcome,
    },
    /// It takes long; the next one starts beside it.
    Slow {
        /// Which.
        kind: NotifyKind,
        /// How long it runs.
        since: Micros,
    },
    /// Too many changes wait: programs are not told of the oldest.
    Skipped {
        /// How many changes.
        changes: u64,
    },
    /// It has not ended with the stop.
    Killed {
        /// Which.
        kind: NotifyKind,
    },
}

/// What a line says of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptLine {
    /// Its exit status differs from the run before.
    NowReturning {
        /// The new status.
        status: i32,
    },
    /// It came up.
    Succeeded,
    /// It went down with this exit status.
    FailedStatus {
        /// The status.
        status: i32,
    },
    /// It went down by this signal.
    FailedSignal {
        /// The signal.
        signal: i32,
    },
    /// It went down because it took too long.
    TimedOut,
    /// It could not be started.
    CouldNotStart {
        /// The kernel's error number.
        errno: i32,
    },
    /// Its slot came while it was still running.
    StillRunning {
        /// Whether it is being timed out.
        timing_out: bool,
    },
    /// It did not end after SIGKILL.
    WillNotDie,
    /// Its state was carried over a reload.
    CarriedOver {
        /// Up or down.
        up: bool,
    },
}

/// What a line says of a tracked file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileLine {
    /// It holds a number that fits no 32 bits.
    OutOfRange {
        /// The number.
        number: i64,
        /// The path.
        path: String,
    },
    /// Its file system tells nobody of changes.
    Unwatchable {
        /// The path.
        path: String,
    },
    /// It cannot be read.
    Unreadable {
        /// The kernel's error number.
        errno: i32,
        /// The path.
        path: String,
    },
}

/// What a line says of a tracked process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcessLine {
    /// The quorum counts as gained or lost.
    Quorum {
        /// Gained.
        gained: bool,
    },
}

/// What a line says of a sync group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupLine {
    /// The other members follow one of them.
    Syncing {
        /// To this state.
        to: StateName,
    },
}

/// What a line says of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceLine {
    /// It came up.
    Up,
    /// It went down.
    Down,
    /// With `-D`: It appeared.
    Added,
    /// It was deleted.
    Deleted,
    /// It has another name now.
    Renamed {
        /// Which.
        to: IfName,
    },
    /// It came up, as it says itself when it is asked.
    AnswersUp,
    /// It went down, as it says itself when it is asked.
    AnswersDown,
    /// It cannot be asked as configured.
    PolledOtherwise {
        /// As configured.
        configured: LinkBeatMethod,
        /// What works.
        used: LinkBeatMethod,
    },
    /// A change has to last before it counts.
    Delayed {
        /// The kernel's flags that count.
        from: u32,
        /// Its flags now.
        to: u32,
        /// How long it has to last.
        delay: Micros,
    },
    /// A change did not last.
    DelayCancelled,
    /// With `-D`: The delay is shorter than configured, because the master's interval is.
    DelayReduced,
    /// With `-D`: An address to send from appeared.
    AddressAssigned {
        /// Which.
        address: IpAddr,
    },
    /// With `-D`: An address to send from vanished.
    AddressDeassigned {
        /// Which.
        address: IpAddr,
    },
}
