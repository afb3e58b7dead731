//! What happened, told in lines with measured times. Judged by what the kernels' addresses and the frames on the wire say;
//! what the daemons say of themselves is quoted as such.
//!
//! Times are of two kinds: since the lab began, and since the last cause, which is what a person did.

use super::cluster::RUN;
use super::node::NodeId;
use super::observer::{AdvertSeen, AnnounceKind, Seen};
use super::plan::Router;
use super::topology::{BridgeId, Happening, Moment};
use crate::model::{Family, Instant, Micros};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The story so far.
#[derive(Debug)]
pub(super) struct Chronicle {
    names: Vec<String>,
    routers: Vec<Router>,
    started: Instant,
    cause: Option<Cause>,
    last_change: Instant,
    /// The last advert of each node for each router.
    senders: BTreeMap<(usize, NodeId), Sender>,
    /// Who has which virtual address.
    holders: BTreeMap<IpAddr, BTreeSet<NodeId>>,
    /// The router that an address belongs to.
    router_of: BTreeMap<IpAddr, usize>,
    /// Addresses of a router whose announcements were told since they vanished from the node last.
    announced: BTreeMap<(NodeId, usize), BTreeSet<IpAddr>>,
}

#[derive(Debug, Clone, Copy)]
struct Sender {
    at: Instant,
    priority: u8,
}

/// What a person did, and what has followed.
#[derive(Debug)]
struct Cause {
    at: Instant,
    /// Who had which address before.
    before: BTreeMap<IpAddr, BTreeSet<NodeId>>,
    /// How many nodes had the address from when on.
    counts: BTreeMap<IpAddr, Vec<(Instant, usize)>>,
    announcements: BTreeMap<NodeId, u32>,
    anything: bool,
}

/// Something to tell, before equal things are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Has(IpAddr),
    Lost(IpAddr),
    Announces(IpAddr, AnnounceKind),
    Text(String),
}

/// More addresses than this at once are told in one line.
const SINGLY: usize = 3;

impl Chronicle {
    pub(super) fn new(names: Vec<String>, routers: Vec<Router>, now: Instant) -> Self {
        let addresses = routers.iter().flat_map(Router::addresses);
        Self {
            names,
            holders: addresses.map(|address| (address, BTreeSet::new())).collect(),
            router_of: routers
                .iter()
                .zip(0..)
                .flat_map(|(router, at)| router.addresses().into_iter().map(move |address| (address, at)))
                .collect(),
            routers,
            started: now,
            cause: None,
            last_change: now,
            senders: BTreeMap::new(),
            announced: BTreeMap::new(),
        }
    }

    /// From now on times are told since this.
    pub(super) fn begin_cause(&mut self, at: Instant) {
        self.last_change = at;
        self.cause = Some(Cause {
            at,
            before: self.holders.clone(),
            counts: self
                .holders
                .iter()
                .map(|(vip, nodes)| (*vip, vec![(at, nodes.len())]))
                .collect(),
            announcements: BTreeMap::new(),
            anything: false,
        });
    }

    /// A line of the lab itself.
    pub(super) fn line(&self, at: Instant, text: &str) -> String {
        format!("{:>9}            {text}\n", seconds(at.since(self.started)))
    }

    /// How long ago the last change was.
    pub(super) fn quiet(&self, now: Instant) -> Micros {
        now.since(self.last_change)
    }

    /// Takes in what happened, in the order of time; the lines to tell.
    pub(super) fn take(&mut self, moments: &[Moment]) -> Vec<String> {
        let mut entries: Vec<(Instant, NodeId, Entry)> = Vec::new();
        for moment in moments {
            let at = moment.at;
            let told = match &moment.what {
                Happening::Appeared(node, address) => self.moved(at, *node, *address, true),
                Happening::Vanished(node, address) => self.moved(at, *node, *address, false),
                Happening::Sent(node, frame) => match &frame.seen {
                    Seen::Advert(advert) => self.advert(at, *node, frame.bridge, advert),
                    Seen::Announce { address, kind } => self.announce(*node, *address, *kind),
                },
                Happening::Line(node, program, text) => Some((*node, quote(program, text))),
                Happening::Ended(node, program, status) => {
                    if program == RUN && *status == Some(0) {
                        continue;
                    }
                    let how = status.map_or_else(|| "by a signal".into(), |status| format!("with status {status}"));
                    Some((*node, Some(Entry::Text(format!("{program} ended {how}")))))
                }
            };
            let Some((node, Some(entry))) = told else { continue };
            self.last_change = self.last_change.max(at);
            if let Some(cause) = &mut self.cause {
                cause.anything = true;
            }
            entries.push((at, node, entry));
        }
        self.tell(&entries)
    }

    fn moved(&mut self, at: Instant, node: NodeId, address: IpAddr, here: bool) -> Option<(NodeId, Option<Entry>)> {
        let holders = self.holders.get_mut(&address)?;
        if here {
            holders.insert(node);
        } else {
            holders.remove(&node);
            let of = self.router_of.get(&address).copied().unwrap_or(0);
            self.announced.entry((node, of)).or_default().remove(&address);
        }
        let count = holders.len();
        let counts = self.cause.as_mut().and_then(|cause| cause.counts.get_mut(&address));
        counts.into_iter().for_each(|counts| counts.push((at, count)));
        let entry = if here {
            Entry::Has(address)
        } else {
            Entry::Lost(address)
        };
        Some((node, Some(entry)))
    }

    fn announce(&mut self, node: NodeId, address: IpAddr, kind: AnnounceKind) -> Option<(NodeId, Option<Entry>)> {
        self.holders.get(&address)?;
        if let Some(cause) = &mut self.cause {
            *cause.announcements.entry(node).or_default() += 1;
        }
        // The rest of the burst, later ones, and most of many addresses are counted only.
        let of = self.router_of.get(&address).copied().unwrap_or(0);
        let told = self.announced.entry((node, of)).or_default();
        let new = told.len() < SINGLY && told.insert(address);
        Some((node, new.then_some(Entry::Announces(address, kind))))
    }

    fn advert(
        &mut self,
        at: Instant,
        node: NodeId,
        bridge: BridgeId,
        advert: &AdvertSeen,
    ) -> Option<(NodeId, Option<Entry>)> {
        let key = (bridge.0, Family::of(advert.source), advert.vrid);
        let index = self
            .routers
            .iter()
            .position(|router| (router.bridge, router.family, router.vrid) == key)?;
        let before = self.sending(index, node, at);
        let name = self.routers.get(index)?.name.clone();
        let priority = advert.priority;
        let text = match (before, priority) {
            (Some(known), _) if known == priority => None,
            (None, 0) => None,
            (Some(_), 0) => Some(format!("gives {name} up (priority 0)")),
            (Some(known), _) => Some(format!("advertises {name} with priority {priority}, was {known}")),
            (None, _) => {
                let others = self
                    .senders
                    .iter()
                    .filter(|((router, other), _)| *router == index && *other != node);
                let last = others.max_by_key(|(_, sender)| sender.at);
                let after = last.map(|((_, other), sender)| {
                    let silence = seconds(at.since(sender.at));
                    format!(", {silence} s after the last one of {}", self.name(*other))
                });
                Some(format!(
                    "advertises {name} with priority {priority}{}",
                    after.unwrap_or_default()
                ))
            }
        };
        self.senders.insert((index, node), Sender { at, priority });
        Some((node, text.map(Entry::Text)))
    }

    /// The priority with which a node sends adverts, if it has done so lately.
    fn sending(&self, router: usize, node: NodeId, now: Instant) -> Option<u8> {
        let interval = self.routers.get(router)?.interval;
        let sender = self.senders.get(&(router, node))?;
        // One late advert is no silence; a backup waits longer still before it takes over.
        let lately = now.since(sender.at) <= interval.times(3);
        (lately && sender.priority > 0).then_some(sender.priority)
    }

    /// Who sends adverts for a router and has all its addresses.
    pub(super) fn masters(&self, router: usize, now: Instant) -> Vec<NodeId> {
        let nodes = self.routers.get(router).into_iter().flat_map(|router| &router.vips);
        let has = |node: NodeId, vip: &IpAddr| self.holders.get(vip).is_some_and(|nodes| nodes.contains(&node));
        nodes
            .map(|(node, vips)| (NodeId(*node), vips))
            .filter(|(node, vips)| vips.iter().all(|vip| has(*node, vip)))
            .map(|(node, _)| node)
            .filter(|node| self.sending(router, *node, now).is_some())
            .collect()
    }

    /// The addresses of a router that a node has.
    pub(super) fn held(&self, router: &Router, node: NodeId) -> Vec<IpAddr> {
        let vips = router.addresses().into_iter();
        vips.filter(|vip| self.holders.get(vip).is_some_and(|nodes| nodes.contains(&node)))
            .collect()
    }

    /// What came of the last cause, when there is one; there is none after that.
    pub(super) fn conclude(&mut self) -> Option<String> {
        let cause = self.cause.take()?;
        if !cause.anything {
            return Some("nothing followed".into());
        }
        let mut parts = Vec::new();
        for router in &self.routers {
            let Some(vip) = router.addresses().into_iter().next() else {
                continue;
            };
            let list = |holders: &BTreeMap<IpAddr, BTreeSet<NodeId>>| {
                let nodes = holders.get(&vip).into_iter().flatten();
                let names: Vec<&str> = nodes.map(|node| self.name(*node)).collect();
                if names.is_empty() {
                    "nowhere".to_owned()
                } else {
                    names.join(" and ")
                }
            };
            let (from, to) = (list(&cause.before), list(&self.holders));
            let moved = if from == to {
                format!("is on {to} as before").replace("is on nowhere", "is nowhere")
            } else {
                format!("{from} → {to}")
            };
            let mut part = format!("{} {moved}", router.name);
            let measured = |wanted: fn(usize) -> bool| {
                let times = router
                    .addresses()
                    .into_iter()
                    .filter_map(|vip| Some(time_with(cause.counts.get(&vip)?, wanted)));
                times.max().filter(|time| *time >= Micros::from_millis(1))
            };
            if let Some(time) = measured(|count| count == 0).filter(|_| from != "nowhere") {
                part.push_str(&format!(", nowhere for {} s", seconds(time)));
            }
            if let Some(time) = measured(|count| count > 1) {
                part.push_str(&format!(", on two nodes for {} s", seconds(time)));
            }
            parts.push(part);
        }
        let announced = cause
            .announcements
            .iter()
            .map(|(node, count)| format!("{} announced {count} times", self.name(*node)));
        parts.extend(announced);
        let took = seconds(self.last_change.since(cause.at));
        Some(format!("calm, last change after {took} s: {}", parts.join("; ")))
    }

    fn name(&self, node: NodeId) -> &str {
        self.names.get(node.0).map_or("?", String::as_str)
    }

    /// Lines; many addresses of one node at once become one.
    fn tell(&self, entries: &[(Instant, NodeId, Entry)]) -> Vec<String> {
        let mut lines = Vec::new();
        for group in entries.chunk_by(|(_, a, one), (_, b, other)| a == b && alike(one, other)) {
            let (Some((at, node, first)), Some((end, ..))) = (group.first(), group.last()) else {
                continue;
            };
            if group.len() > SINGLY {
                let mut more = format!("{} and {} more", words(first), group.len() - 1);
                let lasted = end.since(*at);
                if lasted >= Micros::from_millis(1) {
                    more.push_str(&format!(", the last {} s later", seconds(lasted)));
                }
                lines.push(self.told(*at, *node, &more));
            } else {
                lines.extend(
                    group
                        .iter()
                        .map(|(at, node, entry)| self.told(*at, *node, &words(entry))),
                );
            }
        }
        lines
    }

    fn told(&self, at: Instant, node: NodeId, text: &str) -> String {
        let width = self.names.iter().map(String::len).max().unwrap_or(0);
        let since = self
            .cause
            .as_ref()
            .map(|cause| format!("+{}", seconds(at.since(cause.at))));
        let (elapsed, since) = (seconds(at.since(self.started)), since.unwrap_or_default());
        format!("{elapsed:>9} {since:>9}  {:<width$}  {text}\n", self.name(node))
    }
}

fn alike(one: &Entry, other: &Entry) -> bool {
    !matches!(one, Entry::Text(_)) && std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn words(entry: &Entry) -> String {
    match entry {
        Entry::Has(address) => format!("has {address}"),
        Entry::Lost(address) => format!("no longer has {address}"),
        Entry::Announces(address, AnnounceKind::Arp) => format!("announces {address} (gratuitous ARP)"),
        Entry::Announces(address, AnnounceKind::NeighbourAdvert) => {
            format!("announces {address} (neighbour advertisement)")
        }
        Entry::Text(text) => text.clone(),
    }
}

/// What of a program's output belongs into the story.
fn quote(program: &str, text: &str) -> Option<Entry> {
    if program == RUN {
        return Some(Entry::Text(text.to_owned()));
    }
    let text = message(text);
    let important = [
        "VRRP_Script",
        "priority from",
        "Entering",
        "higher",
        "left in",
        "Respawning",
        "FAULT",
    ];
    important
        .iter()
        .any(|word| text.contains(word))
        .then(|| Entry::Text(format!("says: {text}")))
}

/// A log line without its time.
pub(super) fn message(line: &str) -> &str {
    line.get(26..)
        .filter(|_| line.get(24..26) == Some(": "))
        .unwrap_or(line)
}

/// How long a count was as wanted, until the last change.
fn time_with(counts: &[(Instant, usize)], wanted: fn(usize) -> bool) -> Micros {
    let spans = counts.windows(2).filter_map(|pair| match pair {
        [(from, count), (to, _)] if wanted(*count) => Some(to.since(*from)),
        _ => None,
    });
    spans.fold(Micros::ZERO, |sum, span| sum + span)
}

/// Seconds with three decimals.
pub(super) fn seconds(time: Micros) -> String {
    format!("{}.{:03}", time.0 / 1_000_000, time.0 / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::super::observer::Frame;
    use super::*;

    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));
    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn chronicle() -> Chronicle {
        let router = Router {
            name: "VI_1".into(),
            bridge: 0,
            family: Family::Ipv4,
            vrid: 51,
            interval: Micros::from_secs(1),
            vips: BTreeMap::from([(0, vec![VIP]), (1, vec![VIP])]),
            interfaces: BTreeMap::new(),
        };
        Chronicle::new(vec!["a".into(), "b".into()], vec![router], Instant(0))
    }

    fn at(millis: u64, what: Happening) -> Moment {
        let at = Instant(millis * 1_000);
        Moment { at, what }
    }

    fn advert(priority: u8) -> Frame {
        Frame {
            seen: Seen::Advert(AdvertSeen {
                version: 3,
                vrid: 51,
                priority,
                source: "192.0.2.1".parse().unwrap(),
                destination: "224.0.0.18".parse().unwrap(),
                addresses: vec![VIP],
            }),
            bridge: BridgeId(0),
            bytes: Vec::new(),
        }
    }

    fn announcement() -> Frame {
        Frame {
            seen: Seen::Announce {
                address: VIP,
                kind: AnnounceKind::Arp,
            },
            ..advert(0)
        }
    }

    #[test]
    fn a_take_over_is_told_with_its_times() {
        let mut chronicle = chronicle();
        let begun = chronicle.take(&[
            at(10, Happening::Sent(A, advert(100))),
            at(11, Happening::Appeared(A, VIP)),
            at(1_010, Happening::Sent(A, advert(100))),
        ]);
        assert_eq!(
            begun,
            [
                "    0.010            a  advertises VI_1 with priority 100\n",
                "    0.011            a  has 192.0.2.100\n",
            ]
        );
        chronicle.begin_cause(Instant(1_500_000));
        let lines = chronicle.take(&[
            at(1_510, Happening::Sent(A, advert(0))),
            at(1_520, Happening::Vanished(A, VIP)),
            at(2_110, Happening::Sent(B, advert(90))),
            at(2_120, Happening::Appeared(B, VIP)),
            at(2_121, Happening::Sent(B, announcement())),
            at(2_122, Happening::Sent(B, announcement())),
        ]);
        assert_eq!(
            lines,
            [
                "    1.510    +0.010  a  gives VI_1 up (priority 0)\n",
                "    1.520    +0.020  a  no longer has 192.0.2.100\n",
                "    2.110    +0.610  b  advertises VI_1 with priority 90, 0.600 s after the last one of a\n",
                "    2.120    +0.620  b  has 192.0.2.100\n",
                "    2.121    +0.621  b  announces 192.0.2.100 (gratuitous ARP)\n",
            ]
        );
        let told = chronicle.conclude().unwrap();
        assert_eq!(
            told,
            "calm, last change after 0.621 s: VI_1 a → b, nowhere for 0.600 s; b announced 2 times"
        );
        assert_eq!(chronicle.conclude(), None);
    }

    #[test]
    fn a_master_has_the_addresses_and_sends_adverts() {
        let mut chronicle = chronicle();
        chronicle.begin_cause(Instant(0));
        chronicle.take(&[
            at(10, Happening::Appeared(A, VIP)),
            at(20, Happening::Sent(B, advert(90))),
            at(30, Happening::Sent(A, advert(100))),
        ]);
        assert_eq!(chronicle.masters(0, Instant(40_000)), [A]);
        chronicle.take(&[at(50, Happening::Appeared(B, VIP))]);
        assert_eq!(chronicle.masters(0, Instant(60_000)), [A, B]);
        // Three silent intervals later the one that sends is left; the address is on both all the same.
        chronicle.take(&[at(3_000, Happening::Sent(B, advert(90)))]);
        assert_eq!(chronicle.masters(0, Instant(3_100_000)), [B]);
        chronicle.take(&[at(3_200, Happening::Vanished(A, VIP))]);
        let told = chronicle.conclude().unwrap();
        assert!(told.contains("VI_1 nowhere → b, on two nodes for 3.150 s"), "{told}");
    }

    #[test]
    fn what_a_daemon_logs_is_quoted_without_its_time_when_it_matters() {
        let mut chronicle = chronicle();
        let line = |text: &str| {
            at(
                5,
                Happening::Line(A, "vrrpd".into(), format!("Wed Nov 25 13:30:24 2026: {text}")),
            )
        };
        let lines = chronicle.take(&[line("(VI_1) Entering MASTER STATE"), line("Startup complete")]);
        assert_eq!(lines, ["    0.005            a  says: (VI_1) Entering MASTER STATE\n"]);
    }
}
