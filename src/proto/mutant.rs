//! One-line defects that can be switched on to prove that the tests would notice them. Compiled in with the feature `mutants` only.

/// A known defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Skew_Time is cut to whole seconds.
    SkewTruncated,
    /// Skew_Time is left out.
    SkewLeftOut,
    /// Among equals the lower address wins.
    TieTurned,
    /// A backup ignores priority 0.
    PriorityZeroIgnored,
    /// An invalid advert re-arms the master down timer.
    InvalidRearmsBackup,
    /// An invalid advert re-arms the advert timer (keepalived's trap T1).
    InvalidRearmsMaster,
    /// The addresses stay when the instance leaves master.
    VipKeptInBackup,
    /// No announcement after a take-over.
    AnnouncementLeftOut,
    /// No priority 0 advert at a stop.
    ReleaseLeftOut,
    /// A backup accepts every advert, whatever its priority.
    PreemptIgnored,
    /// `nopreempt` has no effect.
    NoPreemptIgnored,
    /// A master stays master whatever it hears.
    MasterNeverYields,
    /// A master yields to every advert.
    MasterAlwaysYields,
    /// A worse advert re-arms the backup's timer.
    DiscardedRearms,
    /// Checksums are not looked at.
    ChecksumUnchecked,
    /// The TTL is not looked at.
    TtlUnchecked,
    /// The password is not looked at.
    PasswordUnchecked,
    /// The master down timer counts two intervals instead of three.
    DownAfterTwo,
    /// The weight of a script is not taken back when it fails.
    WeightKept,
    /// A failing script of weight 0 is no fault.
    FaultIgnored,
    /// One success ends a fault although `rise` asks for more.
    RiseIgnored,
    /// One failure is enough although `fall` asks for more.
    FallIgnored,
    /// The advert carries the base priority instead of the effective one.
    BasePriorityAdvertised,
    /// The next advert is armed only when the last one has been late.
    AdvertEveryOther,
    /// The second burst of announcements is left out.
    SecondBurstLeftOut,
    /// The interval of the master is not learned (version 3).
    IntervalNotLearned,
    /// A fault ends when one of two causes has gone.
    OneCauseEndsFault,
    /// What else stands on an interface makes nobody need it.
    NeededIgnored,
    /// Static addresses stay at the stop.
    StaticsKept,
    /// Foreign claims of an address are not answered.
    ClaimsIgnored,
    /// Foreign claims are answered without a limit.
    ClaimsAnsweredForEver,
    /// An address that somebody deleted is not put back.
    PutBackLeftOut,
    /// A master that was asleep advertises at once although it has to listen first.
    ListenLeftOut,
    /// A late packet counts from the time at which it was read.
    AgeIgnored,
    /// The sum of an AH header is not looked at.
    AhSumUnchecked,
    /// An AH header may be older than one heard before.
    AhReplayTaken,
    /// Two masters with the same AH number do not hear each other.
    AhTieRefused,
    /// A backup does not go on with the master's AH numbers.
    AhCounterNotFollowed,
    /// The sum of a trailer is not looked at.
    HmacUnchecked,
    /// A missing trailer is accepted although one is enforced.
    MissingTrailerTaken,
    /// A trailer may be as old as it likes.
    StaleTaken,
    /// A trailer may come twice.
    ReplayTaken,
    /// A sender's mark outlives a step of its clock.
    MarkKeptForEver,
    /// After a step of the clock our own numbers go back.
    SequenceGoesBack,
    /// Adverts are not signed.
    UnsignedSent,
    /// A member of a group stays when another one is in fault.
    GroupFaultIgnored,
    /// A member of a group takes over although another one still hears its master.
    GroupDoesNotWait,
    /// The other members stay master when one yields.
    GroupStaysMaster,
    /// A reload starts every changed instance again.
    ReloadRestarts,
    /// `vrrp_startup_delay` has no effect.
    StartupDelayLeftOut,
    /// `timer_expired_backup` has no effect.
    ExpiredStaysMaster,
    /// A reload sends adverts of instances that did not change.
    ReloadTouchesAll,
    /// `interface_up_down_delays` have no effect.
    LinkDelayLeftOut,
    /// A change of an interface counts after its delay although it has been reverted.
    LinkDelayKept,
    /// The number in a file counts with the opposite sign.
    WeightTurned,
    /// `reverse` has no effect.
    ReverseIgnored,
    /// `quorum_max` has no effect.
    QuorumMaxIgnored,
    /// `fork_delay` and `terminate_delay` have no effect.
    ProcessDelayIgnored,
    /// A reload starts every instance again.
    ReloadRestartsAll,
    /// A reload zeroes the counters of instances that did not change.
    ReloadLosesCounters,
    /// A reload leaves the addresses as they were.
    ReloadForgetsAddresses,
    /// A master does not tell at once that a reload changed its adverts.
    ReloadKeepsQuiet,
    /// A drained master stays master.
    DrainIgnored,
    /// A drained master leaves without priority 0.
    DrainUnannounced,
    /// A drained instance keeps its priority.
    DrainKeepsPriority,
    /// A drained instance stays out even when nobody else is master, unforced.
    DrainLeavesNobody,
    /// A forced drain takes over when nobody else is master.
    ForcedDrainServes,
    /// A drain of a member leaves the others of its sync group.
    DrainOfOneMember,
    /// The time of a drain does not end it.
    DrainNeverEnds,
    /// A reload ends a drain.
    DrainLostAtReload,
    /// A new process does not know that its predecessor was drained.
    DrainLostAtRespawn,
    /// A reason does not say what changed the priority.
    CauseLeftOut,
    /// A problem that has gone stays.
    ProblemNeverClears,
    /// Notify programs are started without waiting for those before them.
    NotifyAllAtOnce,
    /// A notify program that takes too long holds the others up for ever.
    NotifySlowWaitedFor,
    /// When too many changes wait to be told, the newest one is skipped.
    NotifyNewestSkipped,
    /// Nobody is told of a stop.
    NotifyStopLeftOut,
    /// A master is told before its addresses are there.
    NotifyBeforeAddresses,
    /// A late advert is followed by another one for the slot that is about to come.
    LateAdvertTwice,
    /// After a fault the interval of the former master is still believed.
    IntervalKeptAfterFault,
    /// A new priority does not move the timer of a backup.
    PriorityShiftLeftOut,
    /// An advert with our own address counts.
    OwnAdvertsHeard,
    /// A flood of worse adverts is answered as a flood.
    AnswersUnlimited,
    /// preempt_delay has no effect.
    PreemptDelayForgotten,
    /// Of two owners the one that is not heard never yields.
    OtherOwnerIgnored,
    /// `garp_master_refresh` refreshes once.
    RefreshOnce,
    /// `garp_lower_prio_delay` has no effect.
    WorseToldOnce,
    /// A check that was started late keeps later ones late.
    ScriptSlotDrifts,
    /// A delay of an interface may be longer than a backup waits.
    LinkDelayUnlimited,
    /// Each change of the number of processes begins its delay anew.
    ProcessDelayRestarts,
    /// A drained master does not wait for an interval before it thinks that nobody is there.
    DrainImpatient,
    /// `notify` is told before `notify_master`.
    NotifyOrderTurned,
    /// In fault nobody is listened to.
    FaultIsDeaf,
    /// Who wakes late takes over before it does what was due earlier.
    LateOutOfOrder,
    /// What a polled interface answers does not count.
    PollIgnored,
    /// A worse master that was replaced is called one that fell silent.
    PreemptionMisnamed,
    /// When a reload changes some addresses, all are announced.
    ReloadAnnouncesAll,
    /// An observer that tells everything anew ends a change of processes that has to last.
    ProcessDelayForgotten,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 98] = [
        Self::SkewTruncated,
        Self::SkewLeftOut,
        Self::TieTurned,
        Self::PriorityZeroIgnored,
        Self::InvalidRearmsBackup,
        Self::InvalidRearmsMaster,
        Self::VipKeptInBackup,
        Self::AnnouncementLeftOut,
        Self::ReleaseLeftOut,
        Self::PreemptIgnored,
        Self::NoPreemptIgnored,
        Self::MasterNeverYields,
        Self::MasterAlwaysYields,
        Self::DiscardedRearms,
        Self::ChecksumUnchecked,
        Self::TtlUnchecked,
        Self::PasswordUnchecked,
        Self::DownAfterTwo,
        Self::WeightKept,
        Self::FaultIgnored,
        Self::RiseIgnored,
        Self::FallIgnored,
        Self::BasePriorityAdvertised,
        Self::AdvertEveryOther,
        Self::SecondBurstLeftOut,
        Self::IntervalNotLearned,
        Self::OneCauseEndsFault,
        Self::NeededIgnored,
        Self::StaticsKept,
        Self::ClaimsIgnored,
        Self::ClaimsAnsweredForEver,
        Self::PutBackLeftOut,
        Self::ListenLeftOut,
        Self::AgeIgnored,
        Self::AhSumUnchecked,
        Self::AhReplayTaken,
        Self::AhTieRefused,
        Self::AhCounterNotFollowed,
        Self::HmacUnchecked,
        Self::MissingTrailerTaken,
        Self::StaleTaken,
        Self::ReplayTaken,
        Self::MarkKeptForEver,
        Self::SequenceGoesBack,
        Self::UnsignedSent,
        Self::GroupFaultIgnored,
        Self::GroupDoesNotWait,
        Self::GroupStaysMaster,
        Self::ReloadRestarts,
        Self::ReloadTouchesAll,
        Self::ReloadRestartsAll,
        Self::ReloadLosesCounters,
        Self::ReloadForgetsAddresses,
        Self::ReloadKeepsQuiet,
        Self::StartupDelayLeftOut,
        Self::ExpiredStaysMaster,
        Self::LinkDelayLeftOut,
        Self::LinkDelayKept,
        Self::WeightTurned,
        Self::ReverseIgnored,
        Self::QuorumMaxIgnored,
        Self::ProcessDelayIgnored,
        Self::DrainIgnored,
        Self::DrainUnannounced,
        Self::DrainKeepsPriority,
        Self::DrainLeavesNobody,
        Self::ForcedDrainServes,
        Self::DrainOfOneMember,
        Self::DrainNeverEnds,
        Self::DrainLostAtReload,
        Self::DrainLostAtRespawn,
        Self::CauseLeftOut,
        Self::ProblemNeverClears,
        Self::NotifyAllAtOnce,
        Self::NotifySlowWaitedFor,
        Self::NotifyNewestSkipped,
        Self::NotifyStopLeftOut,
        Self::NotifyBeforeAddresses,
        Self::LateAdvertTwice,
        Self::IntervalKeptAfterFault,
        Self::PriorityShiftLeftOut,
        Self::OwnAdvertsHeard,
        Self::AnswersUnlimited,
        Self::PreemptDelayForgotten,
        Self::OtherOwnerIgnored,
        Self::RefreshOnce,
        Self::WorseToldOnce,
        Self::ScriptSlotDrifts,
        Self::LinkDelayUnlimited,
        Self::ProcessDelayRestarts,
        Self::DrainImpatient,
        Self::NotifyOrderTurned,
        Self::FaultIsDeaf,
        Self::LateOutOfOrder,
        Self::PollIgnored,
        Self::PreemptionMisnamed,
        Self::ReloadAnnouncesAll,
        Self::ProcessDelayForgotten,
    ];
}

/// The defect in force, if any. Without the feature it is nothing and costs nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mutation {
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
}

impl Mutation {
    #[cfg(feature = "mutants")]
    pub(super) const fn of(mutant: Mutant) -> Self {
        Self { mutant: Some(mutant) }
    }

    /// Whether this defect is in force.
    #[cfg(feature = "mutants")]
    pub(super) fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether this defect is in force: never.
    #[cfg(not(feature = "mutants"))]
    pub(super) const fn is(self, _mutant: Mutant) -> bool {
        false
    }
}
