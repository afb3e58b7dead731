//! The routers around a node, made up from what it has heard of them: configured as it is itself before the reload, but for address
//! and priority. They are cores too, so that they follow the rules.

use crate::model::{
    InstanceId, Instant, Micros, Model, OldUnicastChecksum, Priority, StateName, Transport, UnicastPeer,
};
use crate::proto::{Core, InstanceSnapshot, InstanceState, PeerState, Phase, Remembered, Snapshot, Span, State};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Routers of one instance that are made up at most, those that were heard last.
const MOST: usize = 4;
/// What is said where nobody was heard.
pub(super) const NOBODY: &str = "nobody else was heard, so nobody else is counted";

/// The others.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The first of each instance, the second of each, and so on: two routers of one VRID do not fit into one core.
    pub(super) nodes: Vec<Other>,
    /// What is assumed of the others, for each instance of the node.
    pub(super) assumed: BTreeMap<InstanceId, Vec<String>>,
}

/// Routers that are played by one core.
#[derive(Debug, Default)]
pub(super) struct Other {
    pub(super) model: Model,
    pub(super) state: Vec<Remembered>,
}

/// One router that was heard.
struct Router<'a> {
    peer: &'a PeerState,
    phase: Phase,
}

impl Around {
    /// As this core has heard them.
    pub(super) fn of(core: &Core, before: &Snapshot, now: Instant) -> Self {
        let mut around = Self::default();
        let exported = core.export(now);
        let states = exported.parts.iter().filter_map(|part| match part {
            Remembered::Instance(state) => Some(&**state),
            Remembered::Tracker(_) | Remembered::Group(..) | Remembered::Node(_) => None,
        });
        for ((position, id), (state, shown)) in core.ids().enumerate().zip(states.zip(&before.instances)) {
            let Some(config) = core.model().instances.get(position) else {
                continue;
            };
            let (routers, assumed) = routers(config, state, shown);
            around.assumed.insert(id, assumed);
            for (rank, router) in routers.iter().enumerate() {
                if around.nodes.len() <= rank {
                    let mut global = core.model().global.clone();
                    (global.startup_delay, global.delay_after_boot) = (Micros::ZERO, Micros::ZERO);
                    let model = Model {
                        global,
                        ..Model::default()
                    };
                    let state = Vec::new();
                    around.nodes.push(Other { model, state });
                }
                if let Some(node) = around.nodes.get_mut(rank) {
                    node.add(config, state, shown, router);
                }
            }
        }
        around
    }
}

impl Other {
    fn add(
        &mut self,
        ours: &crate::model::Instance,
        state: &InstanceState,
        shown: &InstanceSnapshot,
        router: &Router<'_>,
    ) {
        let peer = router.peer;
        let mut config = ours.clone();
        config.name = format!("{} of {}", ours.name, peer.address).into();
        (config.source, config.track_source) = (Some(peer.address), false);
        config.priority = peer.priority;
        config.advert_interval = state.master_interval;
        (config.sync_group, config.notify, config.config_fault) = (None, None, None);
        config.track_scripts.clear();
        config.track_interfaces.clear();
        config.routes.clear();
        config.rules.clear();
        config.track_files.clear();
        config.track_processes.clear();
        config.track_bfds.clear();
        if let Transport::Unicast {
            peers, old_checksum, ..
        } = &mut config.transport
        {
            peers.retain(|other| other.address != peer.address);
            peers.extend(shown.source.map(plain));
            if *old_checksum == OldUnicastChecksum::Auto {
                // One that uses the old form itself understands both.
                *old_checksum = OldUnicastChecksum::Never;
            }
        }
        self.state.push(Remembered::Instance(Box::new(state.seen_from(
            peer.address,
            Arc::clone(&config.name),
            router.phase,
        ))));
        self.model.instances.push(config);
    }

    /// The core that plays them, before it has been told of the host.
    pub(super) fn core(&self, now: Instant) -> Core {
        Core::import(self.model.clone(), &State::of(self.state.clone()), now)
    }
}

fn plain(address: IpAddr) -> UnicastPeer {
    UnicastPeer {
        address,
        min_ttl: 0,
        max_ttl: u8::MAX,
    }
}

/// The routers that are counted on, and what is assumed.
fn routers<'a>(
    config: &crate::model::Instance,
    state: &'a InstanceState,
    shown: &InstanceSnapshot,
) -> (Vec<Router<'a>>, Vec<String>) {
    let is_master = shown.state == StateName::Master;
    let interval = state.master_interval.duration();
    let master = shown.master.as_ref().filter(|_| !is_master);
    let best = shown.master.as_ref().map_or(Priority(0), |master| master.priority);
    let mut peers: Vec<&PeerState> = state.peers.iter().filter(|peer| peer.accepted).collect();
    peers.sort_by_key(|peer| {
        (
            Some(peer.address) != master.map(|master| master.address),
            peer.seen_before,
        )
    });
    // When the present master spoke last.
    let spoke = match (&state.phase, peers.first().filter(|_| master.is_some())) {
        (Phase::Master { advert_in }, _) => interval.saturating_sub(*advert_in),
        (_, Some(master)) => master.seen_before,
        (_, None) => Micros::ZERO,
    };
    let (mut routers, mut assumed) = (Vec::new(), Vec::new());
    for peer in peers.into_iter().take(MOST) {
        let PeerState { address, priority, .. } = peer;
        let heard = format!("heard {} ago", Span(peer.seen_before));
        if master.is_some_and(|master| master.address == *address) && *priority != Priority::RELEASE {
            let advert_in = interval.saturating_sub(peer.seen_before);
            assumed.push(format!(
                "{address} goes on as MASTER with priority {priority} ({heard})"
            ));
            routers.push(Router {
                peer,
                phase: Phase::Master { advert_in },
            });
        } else if *priority == Priority::RELEASE {
            assumed.push(format!(
                "{address} does not come back: it has released mastership ({heard})"
            ));
        } else if priority.is_owner() || *priority > best && config.preempt && shown.master.is_some() {
            assumed.push(format!(
                "{address} (priority {priority}, {heard}) does not run: it would be MASTER"
            ));
        } else {
            let adverts = u64::from(config.down_timer_adverts.get());
            let whole = interval.times(adverts) + config.skew_time(*priority, state.master_interval);
            let master_down_in = whole.saturating_sub(spoke);
            assumed.push(format!("{address} listens with priority {priority} ({heard})"));
            routers.push(Router {
                peer,
                phase: Phase::Backup { master_down_in },
            });
        }
    }
    if config.sync_group.is_some() && !routers.is_empty() {
        assumed.push("the sync groups of other nodes hold none of them back".to_owned());
    }
    if routers.is_empty() {
        let nobody = if assumed.is_empty() {
            NOBODY
        } else {
            "nobody else was heard"
        };
        assumed.push(nobody.to_owned());
    }
    (routers, assumed)
}
