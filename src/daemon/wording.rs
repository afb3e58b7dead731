//! [`LogEvent`] → words. keepalived's wording where it has one: tools look for it (`spec/log-messages.tsv`).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the long match is split over two functions; a test sees that no line is left without words"
)]

use crate::control::dump::address_line;
use crate::model::{Family, IfName, Micros, VirtualAddress};
use crate::proto::{
    self, Difference, DropDetail, FileLine, GroupLine, InstanceLine, InterfaceLine, LogEvent, NotifyLine, Pace,
    Problem, ProcessLine, RunOutcome, ScriptLine, Span, StaticLine,
};
use crate::system::logsink::Severity;
use std::io;
use std::net::IpAddr;

/// How important a line is.
pub(super) const fn severity(event: &LogEvent) -> Severity {
    match event {
        LogEvent::TimerLate { .. } | LogEvent::Suppressed { .. } => Severity::Warning,
        LogEvent::Notify { line, .. } => match line {
            NotifyLine::Ended { .. } => Severity::Info,
            NotifyLine::Slow { .. } | NotifyLine::Skipped { .. } | NotifyLine::Killed { .. } => Severity::Warning,
        },
        LogEvent::Instance {
            line: InstanceLine::Problem { raised: true, problem },
            ..
        }
        | LogEvent::Problem { raised: true, problem } => severity_of(problem),
        LogEvent::Problem { raised: false, .. }
        | LogEvent::StartupDelay { .. }
        | LogEvent::Static { .. }
        | LogEvent::Group { .. }
        | LogEvent::Instance { .. }
        | LogEvent::Script { .. }
        | LogEvent::File { .. }
        | LogEvent::Process { .. }
        | LogEvent::Interface { .. }
        | LogEvent::Announcing { .. } => Severity::Info,
    }
}

/// How important the line about a problem is that came up.
pub(super) const fn severity_of(problem: &Problem) -> Severity {
    match problem.severity {
        proto::Severity::Note | proto::Severity::Warning => Severity::Warning,
        proto::Severity::Error => Severity::Error,
    }
}

/// Whether the line appears with `-D` only.
pub(super) const fn is_detail(event: &LogEvent) -> bool {
    match event {
        LogEvent::Instance { line, .. } => matches!(
            line,
            InstanceLine::ArpOff
                | InstanceLine::ReceiveTimeout
                | InstanceLine::SettingVips { .. }
                | InstanceLine::RemovingVips { .. }
                | InstanceLine::SentPriorityZero
                | InstanceLine::MasterSet { .. }
                | InstanceLine::MasterChanged { .. }
                | InstanceLine::BackupPriorityZero
                | InstanceLine::MasterPriorityZero
                | InstanceLine::PreemptDelayStart { .. }
                | InstanceLine::PreemptDelayStop
                | InstanceLine::IntervalLearned { .. }
                | InstanceLine::FileFault { .. }
                | InstanceLine::SettingPriority { .. }
        ),
        LogEvent::Interface { line, .. } => matches!(
            line,
            InterfaceLine::Added
                | InterfaceLine::AddressAssigned { .. }
                | InterfaceLine::AddressDeassigned { .. }
                | InterfaceLine::DelayReduced
        ),
        LogEvent::Announcing { .. } => true,
        LogEvent::StartupDelay { .. }
        | LogEvent::Static { .. }
        | LogEvent::Group { .. }
        | LogEvent::Script { .. }
        | LogEvent::File { .. }
        | LogEvent::Process { .. }
        | LogEvent::Notify { .. }
        | LogEvent::Problem { .. }
        | LogEvent::TimerLate { .. }
        | LogEvent::Suppressed { .. } => false,
    }
}

/// The line; for a burst of announcements several of them.
pub(super) fn words(event: &LogEvent) -> String {
    match event {
        LogEvent::Instance { name, line } => instance(name, line),
        LogEvent::Script { name, line } => script(name, line),
        LogEvent::File { line, .. } => match line {
            FileLine::OutOfRange { number, path } => format!("Invalid number {number} read from {path} - ignoring"),
            FileLine::Unwatchable { path } => {
                format!("The filesystem of {path} is read only or cannot be monitored - ignoring")
            }
            FileLine::Unreadable { errno, path } => format!("Cannot read {path}: {} - using 0", error(*errno)),
        },
        LogEvent::Process { name, line } => process(name, line),
        LogEvent::Interface { name, line } => interface(name, line),
        LogEvent::Announcing {
            name,
            addresses,
            rounds,
        } => announcing(name, addresses, *rounds),
        LogEvent::Group {
            name,
            line: GroupLine::Syncing { to },
        } => format!("VRRP_Group({name}) Syncing instances to {} state", to.as_str()),
        LogEvent::Notify { name, line } => notify(name, line),
        LogEvent::Static { address, group, line } => static_address(address, group.as_deref(), line),
        LogEvent::StartupDelay { delay: Some(delay) } => format!("Delaying startup for {delay} seconds"),
        LogEvent::StartupDelay { delay: None } => "Delayed start completed".into(),
        LogEvent::Problem { raised, problem } => told_problem(*raised, problem),
        LogEvent::TimerLate { late } => format!("A thread timer expired {late} seconds ago"),
        LogEvent::Suppressed { name, lines, within } => {
            format!(
                "({name}) {lines} lines about adverts were left out within {}",
                Span(*within)
            )
        }
    }
}

fn static_address(address: &VirtualAddress, group: Option<&str>, line: &StaticLine) -> String {
    let interface = &address.interface;
    match line {
        StaticLine::Waits => {
            format!("Not adding address {address} to {interface} since interface doesn't exist")
        }
        StaticLine::Restored { culprit } => {
            let mut line = format!(
                "Restoring deleted static address {}",
                address_line(address, group, false)
            );
            // Of IPv6 addresses, and of what goes with its link, the kernel names nobody.
            if culprit.port != 0 {
                line.push_str(&format!(", deleted by {culprit}"));
            }
            line
        }
        StaticLine::Refused { errno } => {
            let reason = error(*errno);
            format!("Cannot set static address {address} on {interface}: {reason} (error {errno})")
        }
        StaticLine::Leaves => format!("(static) ip address {address} dev {interface}, no longer exist"),
    }
}

fn interface(name: &IfName, line: &InterfaceLine) -> String {
    match line {
        InterfaceLine::Up => format!("Netlink reports {name} up"),
        InterfaceLine::Down => format!("Netlink reports {name} down"),
        InterfaceLine::AnswersUp => format!("Linkbeat reports {name} up"),
        InterfaceLine::AnswersDown => format!("Linkbeat reports {name} down"),
        InterfaceLine::Added => format!("Interface {name} added"),
        InterfaceLine::Deleted => format!("Interface {name} deleted"),
        InterfaceLine::Renamed { to } => format!("Interface name has changed from {name} to {to}"),
        InterfaceLine::PolledOtherwise { configured, used } => {
            let (configured, used) = (configured.as_str(), used.as_str());
            format!("({name}): Configured linkbeat type {configured} not supported, using {used}")
        }
        InterfaceLine::Delayed { from, to, delay } => {
            let delay = delay.0;
            format!("{name}: Adding flags change from 0x{from:x} to 0x{to:x} delay by {delay}")
        }
        InterfaceLine::DelayCancelled => format!("Delay timer for {name} cancelled"),
        InterfaceLine::DelayReduced => format!("{name}: lower advert_int reducing interface {name} debounce timer(s)"),
        InterfaceLine::AddressAssigned { address } => format!("Assigned address {address} for interface {name}"),
        InterfaceLine::AddressDeassigned { address } => {
            format!("Deassigned address {address} from interface {name}")
        }
    }
}

/// Every frame has its line, in the order in which they leave: all addresses, as often as there are rounds.
fn announcing(name: &str, addresses: &[(IfName, IpAddr, Pace)], rounds: u32) -> String {
    let mut lines = Vec::new();
    for round in 0..rounds {
        for (interface, address, pace) in addresses {
            let (burst, frame) = match address {
                IpAddr::V4(_) => ("gratuitous ARPs", "gratuitous ARP"),
                IpAddr::V6(_) => ("Unsolicited Neighbour Adverts", "unsolicited Neighbour Advert"),
            };
            if round == 0 {
                lines.push(format!(
                    "({name}) Sending/queueing {burst} on {interface} for {address}"
                ));
            }
            if *pace == Pace::Direct {
                lines.push(format!("Sending {frame} on {interface} for {address}"));
            }
        }
    }
    lines.join("\n")
}

fn notify(name: &str, line: &NotifyLine) -> String {
    match line {
        NotifyLine::Ended { kind, outcome } => {
            let script = kind.keyword();
            match outcome {
                RunOutcome::Exited(status) => format!("({name}) {script} script exited with status {status}"),
                RunOutcome::Signaled(signal) => format!("({name}) {script} script was ended by signal {signal}"),
                RunOutcome::NotStarted(errno) => {
                    let error = io::Error::from_raw_os_error(*errno);
                    format!("({name}) {script} script could not be started: {error}")
                }
            }
        }
        NotifyLine::Slow { kind, since } => format!(
            "({name}) {} script has been running for {}: the next one starts beside it",
            kind.keyword(),
            Span(*since)
        ),
        NotifyLine::Skipped { changes } => {
            format!("({name}) notify scripts are behind: they are not told of {changes} older changes")
        }
        NotifyLine::Killed { kind } => {
            format!(
                "({name}) {} script did not end within the stop and was killed",
                kind.keyword()
            )
        }
    }
}

fn process(name: &str, line: &ProcessLine) -> String {
    match line {
        ProcessLine::Quorum { gained } => {
            let change = if *gained { "gained" } else { "lost" };
            format!("Quorum {change} for tracked process {name}")
        }
    }
}

fn script(name: &str, line: &ScriptLine) -> String {
    match line {
        ScriptLine::NowReturning { status } => format!("Script `{name}` now returning {status}"),
        ScriptLine::Succeeded => format!("VRRP_Script({name}) succeeded"),
        ScriptLine::FailedStatus { status } => format!("VRRP_Script({name}) failed (exited with status {status})"),
        ScriptLine::FailedSignal { signal } => format!("VRRP_Script({name}) failed (due to signal {signal})"),
        ScriptLine::TimedOut => format!("VRRP_Script({name}) timed_out"),
        ScriptLine::CouldNotStart { errno } => {
            format!("VRRP_Script({name}) failed (could not be started: {})", error(*errno))
        }
        ScriptLine::StillRunning { timing_out: false } => {
            format!("Track script {name} is already running, expect idle - skipping run")
        }
        ScriptLine::StillRunning { timing_out: true } => {
            format!("Track script {name} is being timed out, expect idle - skipping run")
        }
        ScriptLine::WillNotDie => format!("Script {name} child failed to terminate after kill"),
        ScriptLine::CarriedOver { up: true } => format!("VRRP_Script({name}) considered successful on reload"),
        ScriptLine::CarriedOver { up: false } => format!("VRRP_Script({name}) considered unsuccessful on reload"),
    }
}

/// Lines about a state or about what is being done.
fn instance(name: &str, line: &InstanceLine) -> String {
    match line {
        InstanceLine::EnteringBackupInit => format!("({name}) Entering BACKUP STATE (init)"),
        InstanceLine::EnteringBackup => format!("({name}) Entering BACKUP STATE"),
        InstanceLine::EnteringMaster => format!("({name}) Entering MASTER STATE"),
        InstanceLine::EnteringFault => format!("({name}) Entering FAULT STATE"),
        InstanceLine::FaultAtStartInterface { interface } => {
            format!("({name}): entering FAULT state (interface {interface} down)")
        }
        InstanceLine::FaultAtStartNoAddress { family } => {
            let number = if *family == Family::Ipv4 { 4 } else { 6 };
            format!("({name}) entering FAULT state (no IPv{number} address for interface)")
        }
        InstanceLine::FaultAtStartScript { script } => {
            format!("({name}): entering FAULT state due to script {script}")
        }
        InstanceLine::FaultAtStartFile { file, value } => {
            format!("({name}): entering FAULT state (tracked file {file} has status {value})")
        }
        InstanceLine::FaultAtStartProcess { process } => {
            format!("({name}) entering FAULT state (tracked process {process} quorum not achieved)")
        }
        InstanceLine::FileFault { file, begins: true } => format!("({name}): tracked file {file} now FAULT state"),
        InstanceLine::FileFault { file, begins: false } => {
            format!("({name}): tracked file {file} leaving FAULT state")
        }
        InstanceLine::SettingPriority { to } => format!("({name}) Setting effective priority to {to}"),
        InstanceLine::FaultConfiguration { detail } => format!("({name}) entering FAULT state: {detail}"),
        InstanceLine::ReceiveTimeout => format!("({name}) Receive advertisement timeout"),
        InstanceLine::ArpOff => format!("({name}) disabling ARP since interface does not support it"),
        InstanceLine::EffectivePriority { from, to } => {
            format!("({name}) Changing effective priority from {from} to {to}")
        }
        InstanceLine::SettingVips { excluded } => format!("({name}) setting {}VIPs.", e_prefix(*excluded)),
        InstanceLine::RemovingVips { excluded } => format!("({name}) removing {}VIPs.", e_prefix(*excluded)),
        InstanceLine::SentPriorityZero => format!("({name}) sent 0 priority"),
        InstanceLine::PreemptDelayStart { delay } => format!("({name}) start preempt delay ({delay})"),
        InstanceLine::PreemptDelayStop => format!("({name}) stop preempt delay"),
        InstanceLine::ForeignClaim {
            address,
            interface,
            mac,
            last,
        } => {
            let then = if *last {
                "; this was the last answer in a row"
            } else {
                ""
            };
            format!("({name}) {mac} claims {address} on {interface}, announcing it again{then}")
        }
        InstanceLine::Stalled { gap, listens } => {
            let then = if *listens {
                ", listening before it advertises again"
            } else {
                ""
            };
            format!(
                "({name}) was asleep for {} as master, longer than the others wait{then}",
                Span(*gap)
            )
        }
        InstanceLine::SourceChanged { to: Some(to) } => format!("({name}) adverts come from {to} now"),
        InstanceLine::SourceChanged { to: None } => format!("({name}) has no address to send adverts from"),
        InstanceLine::SendFailed { to: None, errno } => {
            format!("({name}): send advert error {errno} ({})", error(*errno))
        }
        InstanceLine::SendFailed { to: Some(to), errno } => {
            format!("({name}) Cant send advert to {to} ({})", error(*errno))
        }
        InstanceLine::SocketFailed { call, errno } => {
            format!(
                "({name}) cannot open its socket: {call}: {} (error {errno})",
                error(*errno)
            )
        }
        other => address(name, other)
            .or_else(|| story(name, other))
            .unwrap_or_else(|| heard(name, other)),
    }
}

/// Lines about virtual addresses.
fn address(name: &str, line: &InstanceLine) -> Option<String> {
    Some(match line {
        InstanceLine::AddressFailed {
            address,
            interface,
            errno,
        } => {
            format!(
                "({name}) cannot set {address} on {interface}: {} (error {errno})",
                error(*errno)
            )
        }
        InstanceLine::AddressLeaves {
            address,
            prefix_len,
            interface,
        } => format!("({name}) ip address {address}/{prefix_len} dev {interface}, no longer exist"),
        InstanceLine::AddressStolen {
            address,
            interface,
            port,
            process,
            restored,
        } => {
            let who = proto::Culprit {
                port: *port,
                process: process.clone(),
            };
            let then = if *restored {
                "putting it back"
            } else {
                "giving mastership up"
            };
            format!("({name}) {who} removed {address} from {interface} - {then}")
        }
        _ => return None,
    })
}

/// That a problem came up, or that it has gone.
pub(super) fn told_problem(raised: bool, problem: &Problem) -> String {
    let Problem {
        code, subject, text, ..
    } = problem;
    match subject {
        _ if raised => format!("problem {code}: {text}"),
        Some(subject) => format!("problem {code} ({subject}) has gone"),
        None => format!("problem {code} has gone"),
    }
}

/// Lines that keepalived does not have: why, and what an operator should know.
fn story(name: &str, line: &InstanceLine) -> Option<String> {
    Some(match line {
        InstanceLine::Because { to, reason } => format!("({name}) is {} because {reason}", to.as_str()),
        InstanceLine::Drained { length, force } => drained(name, *length, *force),
        InstanceLine::Resumed { time_over: true } => {
            format!("({name}) takes part again: the time of its drain is over")
        }
        InstanceLine::Resumed { time_over: false } => format!("({name}) takes part again"),
        InstanceLine::Problem { raised, problem } => format!("({name}) {}", told_problem(*raised, problem)),
        _ => return None,
    })
}

fn drained(name: &str, length: Option<Micros>, force: bool) -> String {
    let length = length.map_or_else(String::new, |length| format!(" for {}", Span(length)));
    let force = if force { ", stays out whatever happens" } else { "" };
    format!("({name}) drained{length}{force}")
}

/// Lines about what others say.
fn heard(name: &str, line: &InstanceLine) -> String {
    match line {
        InstanceLine::MasterSet { to } => format!("({name}) master set to {to}"),
        InstanceLine::MasterChanged { from, to } => format!("({name}) master changed from {from} to {to}"),
        InstanceLine::BackupPriorityZero => format!("({name}) Backup received priority 0 advertisement"),
        InstanceLine::MasterPriorityZero => format!("({name}) Master received priority 0 message"),
        InstanceLine::LowerPriorityDiscarded { priority, from } => {
            format!("({name}) received lower priority ({priority}) advert from {from} - discarding")
        }
        InstanceLine::MasterHeardLower {
            from,
            theirs,
            ours,
            answered,
        } => {
            let then = if *answered { ", forcing new election" } else { "" };
            format!("({name}) Received advert from {from} with lower priority {theirs}, ours {ours}{then}")
        }
        InstanceLine::MasterHeardHigher { from, theirs, ours } => {
            format!("({name}) Master received advert from {from} with higher priority {theirs}, ours {ours}")
        }
        InstanceLine::MasterHeardHigherAddress { from, priority } => format!(
            "({name}) Master received advert from {from} with same priority {priority} but higher IP address than ours"
        ),
        InstanceLine::EqualPriorityOwnAddress => {
            format!("({name}) WARNING - equal priority advert received from remote host with our IP address.")
        }
        InstanceLine::TwoOwners { other } => format!(
            "({name}) CONFIGURATION ERROR: local instance and {other} are both configured as address owner, please resolve"
        ),
        InstanceLine::OwnerYields { other } => format!(
            "({name}) CONFIGURATION ERROR: {other} is still advertising as address owner, please resolve - reducing our priority"
        ),
        InstanceLine::RogueOwnerGone => format!("({name}): rogue address owner appears to have stopped advertising"),
        InstanceLine::OwnerRestored { lower_heard: true } => {
            format!("({name}) Restoring our priority to 255 since received advert with lower priority")
        }
        InstanceLine::OwnerRestored { lower_heard: false } => {
            format!("({name}) Restoring our priority to 255 since other address owner has disappeared")
        }
        InstanceLine::IntervalLearned { from, to } => {
            let (from, to) = (from.as_millis(), to.as_millis());
            format!("({name}) advertisement interval updated from {from}ms to {to}ms by master")
        }
        InstanceLine::Dropped { from, why } => format!("({name}) {}", dropped(&from.to_string(), why)),
        InstanceLine::Differs { from, what } => format!("({name}) {}", differs(&from.to_string(), what)),
        InstanceLine::OldUnicastChecksum => format!("({name}) Setting unicast VRRPv3 checksum to old version"),
        other => format!("({name}) {other:?}"),
    }
}

fn dropped(from: &str, why: &DropDetail) -> String {
    match why {
        DropDetail::Length { received, expected } => {
            let how = if received > expected { "long" } else { "short" };
            format!("vrrp packet from {from} too {how}, length {received} and expect {expected}")
        }
        DropDetail::TotalLength { stated, received } => {
            format!("ip_tot_len mismatch against received length from {from}. {stated} and received {received}")
        }
        DropDetail::Ttl { received } => format!("invalid TTL/HL from {from}. Received {received} and expect 255"),
        DropDetail::PeerTtl { received, min, max } => {
            format!("TTL/HL {received} from {from} not in range [{min}, {max}]")
        }
        DropDetail::Version { received, expected } => {
            format!("wrong VRRP version from {from}. Received {received} and expect {expected}")
        }
        DropDetail::Type { received } => format!("Invalid packet type from {from}. {received} and expect 1"),
        DropDetail::Checksum { version } => format!("Invalid VRRPv{version} checksum from {from}"),
        DropDetail::AuthType { received } => format!("Invalid auth type from {from}: {received}"),
        DropDetail::AuthMismatch { received, expected } => {
            format!("received a {received} auth from {from}, expecting {expected}!")
        }
        DropDetail::UnexpectedAh => format!("Received AH header but auth type not AH from {from}"),
        DropDetail::MissingAh => format!("No AH header but auth type is AH from {from}"),
        DropDetail::Password => format!("received an invalid passwd from {from}!"),
        DropDetail::AhLength { .. }
        | DropDetail::AhNextHeader { .. }
        | DropDetail::AhSum
        | DropDetail::AhSpi { .. }
        | DropDetail::AhSequence { .. }
        | DropDetail::TrailerMissing
        | DropDetail::TrailerMalformed
        | DropDetail::Stale { .. }
        | DropDetail::UnknownKey { .. }
        | DropDetail::Hmac
        | DropDetail::Replayed => unauthenticated(from, why),
        DropDetail::Interval { ours_s, theirs_s } => {
            format!("advertisement interval mismatch with {from} mine={ours_s} sec rcv'd={theirs_s} sec")
        }
        DropDetail::ZeroInterval => format!("advert from {from} with an interval of 0"),
        DropDetail::Destination { multicast: true } => {
            format!("Expected unicast packet but received multicast packet from {from}")
        }
        DropDetail::Destination { multicast: false } => {
            format!("Expected multicast packet but received unicast packet from {from}")
        }
        DropDetail::Source => format!("advert from {from}, which no router can have as its address"),
        DropDetail::NotAPeer => format!("unicast source address {from} not a unicast peer"),
        DropDetail::OwnerIgnores => format!("Dropping packet(s) from {from} since we are address owner"),
        DropDetail::OwnAdvert => format!("our own advert came back from {from}"),
    }
}

fn unauthenticated(from: &str, why: &DropDetail) -> String {
    match why {
        DropDetail::AhLength { received } => format!("IPSEC AH : header length {received} from {from}, expect 4"),
        DropDetail::AhNextHeader { received } => format!("IPSEC AH : next header {received} from {from}, expect 112"),
        DropDetail::AhSum => {
            "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !".to_owned()
        }
        DropDetail::AhSpi { received, expected } => {
            format!("IPSEC AH : invalid IPSEC SPI value. {received} and expect {expected}")
        }
        DropDetail::AhSequence { received, last } => {
            format!("IPSEC-AH : sequence number {received} already processed. Packet dropped. Local({last})")
        }
        DropDetail::TrailerMissing => format!("missing authentication trailer from {from}"),
        DropDetail::TrailerMalformed => format!("malformed authentication trailer from {from}"),
        DropDetail::Stale { skew_s, window_s } => {
            format!("stale authentication trailer from {from}, clock skew {skew_s} sec exceeds window {window_s} sec")
        }
        DropDetail::UnknownKey { id } => format!("unknown authentication key id {id} from {from}"),
        DropDetail::Hmac => format!("invalid authentication HMAC from {from}"),
        DropDetail::Replayed => format!("replayed authentication trailer from {from}"),
        other => format!("{other:?} from {from}"),
    }
}

fn differs(from: &str, what: &Difference) -> String {
    match what {
        Difference::AddressCount { ours, theirs } => format!("expected {ours} VIPs but received {theirs}"),
        Difference::AddressMissing { vrid, address } => {
            format!("ip address associated with VRID {vrid} not present in advert from {from}: {address}")
        }
        Difference::ClockSkew { skew_s, window_s } => {
            format!("authentication clock skew {skew_s} sec from {from} approaching window {window_s} sec")
        }
        Difference::Interval { ours_cs, theirs_cs } => {
            format!("advertisement interval mismatch ours = {ours_cs} centi-sec rcv'd={theirs_cs} centi-sec")
        }
    }
}

const fn e_prefix(excluded: bool) -> &'static str {
    if excluded { "E-" } else { "" }
}

/// The system's words for an error number.
fn error(errno: i32) -> String {
    io::Error::from_raw_os_error(errno)
        .to_string()
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LinkBeatMethod;

    /// Lines of keepalived's own log in the seed's destructive test (spec/samples/a-seed).
    #[test]
    fn lines_are_worded_as_keepalived_words_them() {
        let (from, name) = ("172.16.106.12".parse().unwrap(), "VI_1");
        let instance = |line| LogEvent::Instance {
            name: name.into(),
            line,
        };
        let script = |line| LogEvent::Script {
            name: "chk_haproxy".into(),
            line,
        };
        let (ours, theirs) = (crate::model::Priority(100), crate::model::Priority(106));
        for (event, text) in [
            (
                script(ScriptLine::NowReturning { status: 1 }),
                "Script `chk_haproxy` now returning 1",
            ),
            (
                script(ScriptLine::FailedStatus { status: 1 }),
                "VRRP_Script(chk_haproxy) failed (exited with status 1)",
            ),
            (
                instance(InstanceLine::EffectivePriority {
                    from: crate::model::Priority(111),
                    to: ours,
                }),
                "(VI_1) Changing effective priority from 111 to 100",
            ),
            (
                instance(InstanceLine::MasterHeardHigher { from, theirs, ours }),
                "(VI_1) Master received advert from 172.16.106.12 with higher priority 106, ours 100",
            ),
            (instance(InstanceLine::EnteringBackup), "(VI_1) Entering BACKUP STATE"),
            (
                instance(InstanceLine::RemovingVips { excluded: false }),
                "(VI_1) removing VIPs.",
            ),
            (
                instance(InstanceLine::LowerPriorityDiscarded { priority: theirs, from }),
                "(VI_1) received lower priority (106) advert from 172.16.106.12 - discarding",
            ),
        ] {
            assert_eq!(words(&event), text);
        }
    }

    /// As keepalived 2.2.7 says it, run with these interfaces.
    #[test]
    fn lines_about_interfaces_are_worded_as_keepalived_words_them() {
        let (ethtool, mii) = (LinkBeatMethod::Ethtool, LinkBeatMethod::Mii);
        for (line, text) in [
            (
                InterfaceLine::Delayed {
                    from: 0x11043,
                    to: 0x1003,
                    delay: crate::model::Micros::SECOND,
                },
                "eth1: Adding flags change from 0x11043 to 0x1003 delay by 1000000",
            ),
            (
                InterfaceLine::PolledOtherwise {
                    configured: mii,
                    used: ethtool,
                },
                "(eth1): Configured linkbeat type MII not supported, using ETHTOOL",
            ),
            (InterfaceLine::AnswersDown, "Linkbeat reports eth1 down"),
            (
                InterfaceLine::Renamed {
                    to: "eth9".parse().unwrap(),
                },
                "Interface name has changed from eth1 to eth9",
            ),
        ] {
            let name = "eth1".parse().unwrap();
            assert_eq!(words(&LogEvent::Interface { name, line }), text);
        }
    }

    /// As keepalived 2.2.7 says it, without its `set` at the end; who did it is ours.
    #[test]
    fn lines_about_static_addresses_are_worded_as_keepalived_words_them() {
        let mut address = VirtualAddress::plain("10.9.1.1".parse().unwrap(), 24, "v1".parse().unwrap());
        address.broadcast = Some(crate::model::Broadcast::HostBitsSet);
        address.label = Some("v1:x".into());
        let culprit = |port| proto::Culprit { port, process: None };
        let restored =
            "Restoring deleted static address 10.9.1.1/24 brd 10.9.1.255 dev v1 scope global label v1:x track_group TG";
        for (line, text) in [
            (
                StaticLine::Waits,
                "Not adding address 10.9.1.1/24 to v1 since interface doesn't exist",
            ),
            (StaticLine::Restored { culprit: culprit(0) }, restored),
            (
                StaticLine::Restored { culprit: culprit(7) },
                &format!("{restored}, deleted by netlink port 7"),
            ),
            (
                StaticLine::Leaves,
                "(static) ip address 10.9.1.1/24 dev v1, no longer exist",
            ),
        ] {
            let event = LogEvent::Static {
                address: address.clone().into(),
                group: Some("TG".into()),
                line,
            };
            assert_eq!(words(&event), text);
        }
    }

    #[test]
    fn every_announcement_has_its_line_in_the_order_of_the_frames() {
        let eth0: IfName = "eth0".parse().unwrap();
        let event = LogEvent::Announcing {
            name: "VI_1".into(),
            addresses: vec![
                (eth0.clone(), "192.0.2.1".parse().unwrap(), Pace::Direct),
                (eth0, "2001:db8::1".parse().unwrap(), Pace::Direct),
            ],
            rounds: 2,
        };
        let lines = "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 192.0.2.1
Sending gratuitous ARP on eth0 for 192.0.2.1
(VI_1) Sending/queueing Unsolicited Neighbour Adverts on eth0 for 2001:db8::1
Sending unsolicited Neighbour Advert on eth0 for 2001:db8::1
Sending gratuitous ARP on eth0 for 192.0.2.1
Sending unsolicited Neighbour Advert on eth0 for 2001:db8::1";
        assert_eq!(words(&event), lines);
        assert!(is_detail(&event));
    }
}
