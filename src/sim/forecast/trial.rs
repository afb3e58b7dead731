//! Whether forecasts come true: a cluster is played with real cores, one node foresees a reload, and then the reload is made.

use super::around::Around;
use super::{Forecast, foresee};
use crate::model::{Instance, InstanceId, Instant, Micros, Model, Priority, ScriptId, StateName, Transport};
use crate::proto::Core;
use crate::sim::cluster::ClusterNode;
use crate::sim::cluster::lan::{Lan, LanLink};
use crate::sim::cluster::stage::{Deed, Stage};
use crate::sim::draw;
use crate::sim::node::interface;
use crate::sim::random::Random;
use crate::sim::reload::TOUCHES;
use crate::sim::{Prospect, Violation};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How near a change of state comes to the time that was foreseen, in milliseconds.
const NEAR_MS: u64 = 20;

/// What came of a forecast. It can only come true where the node knows what there is to know of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastTrial {
    /// What was changed.
    pub changed: &'static str,
    /// What was foreseen, of each instance, and has come true; `None`: something was there that nobody could know.
    pub verdicts: Option<Vec<Prospect>>,
}

/// Foresees one reload of a random cluster, makes it, and compares.
///
/// # Errors
/// What became otherwise.
pub fn random_forecast(seed: u64) -> Result<ForecastTrial, Violation> {
    let mut random = Random::new(seed);
    let nodes = nodes(&mut random);
    let lan = lan(nodes.len());
    let mut stage = Stage::new(&nodes, &lan);
    for node in 0..nodes.len() {
        stage.boot(node);
    }
    stage.settle();
    let own = random.index(nodes.len());
    everybody_is_heard(&mut stage, nodes.len());
    if random.one_in(4) {
        stage.fail_script(own, ScriptId(0));
        stage.settle();
    }
    stage.advance(Micros(random.below(3_000_000)));
    let old = nodes.get(own).map(|node| node.model.clone()).unwrap_or_default();
    let (new, changed) = changed(&old, &mut random);
    let known = stage
        .core(own)
        .is_some_and(|core| knows_everybody(core, &stage, nodes.len()));
    if !known {
        let verdicts = None;
        return Ok(ForecastTrial { changed, verdicts });
    }
    let forecast = make(&mut stage, own, &Arc::new(new)).map_err(|what| Violation {
        at: stage.now(),
        what: format!("{changed}: {what}"),
    })?;
    let verdicts = forecast.instances.iter().map(|one| one.verdict);
    Ok(ForecastTrial {
        changed,
        verdicts: Some(verdicts.collect()),
    })
}

/// Foresees the reload, and makes it; what became otherwise.
pub(super) fn make(stage: &mut Stage<'_>, own: usize, new: &Arc<Model>) -> Result<Forecast, String> {
    let core = stage.core(own).cloned().ok_or("it does not run")?;
    let names = core.model().instances.iter().map(|one| Arc::clone(&one.name));
    let before: BTreeMap<InstanceId, Arc<str>> = core.ids().zip(names).collect();
    let forecast = foresee(core, new, stage.now(), stage.wall());
    stage.take_deeds();
    let begun = stage.now();
    stage.reload(own, Arc::clone(new));
    stage.advance(Micros::from_millis(forecast.played_ms));
    compare(&forecast, stage, begun, own, &before).map_err(|what| format!("{what}\n{forecast:#?}"))?;
    Ok(forecast)
}

/// Nodes that are configured alike but for what makes them different routers: that is what a node assumes of the others.
fn nodes(random: &mut Random) -> Vec<ClusterNode> {
    let drawn = draw::cluster(random).nodes.into_iter().next();
    let template = drawn.map(|node| node.model).unwrap_or_default();
    let count = u8::try_from(random.between(2, 4)).unwrap_or(2);
    let equal = random.one_in(5);
    let nodes = (1..=count).map(|number| {
        let mut model = template.clone();
        for config in &mut model.instances {
            let priority = if equal {
                100
            } else {
                u8::try_from(random.between(50, 200)).unwrap_or(100)
            };
            place(config, number, count, Priority(priority));
        }
        ClusterNode {
            name: format!("node {number}"),
            model,
        }
    });
    nodes.collect()
}

fn address(config: &Instance, number: u8) -> Option<IpAddr> {
    let of_family = |address: &IpAddr| crate::model::Family::of(*address) == config.family;
    draw::addresses(number).into_iter().find(of_family)
}

fn place(config: &mut Instance, number: u8, count: u8, priority: Priority) {
    config.priority = priority;
    (config.owner_ignore_adverts, config.state) = (false, crate::model::WantedState::Backup);
    let others = (1..=count).filter(|other| *other != number);
    let others: Vec<IpAddr> = others.filter_map(|other| address(config, other)).collect();
    let own = address(config, number);
    if let Transport::Unicast { peers, .. } = &mut config.transport {
        let first = peers.first().copied();
        *peers = others
            .into_iter()
            .filter_map(|address| Some(crate::model::UnicastPeer { address, ..first? }))
            .collect();
    }
    if config.source.is_some() {
        config.source = own;
    }
}

pub(super) fn lan(count: usize) -> Lan {
    let links = |node: usize| {
        let number = u8::try_from(node + 1).unwrap_or(u8::MAX);
        let own = LanLink {
            name: interface(),
            segment: 0,
            addresses: draw::addresses(number),
        };
        let other = LanLink {
            name: draw::other_link(),
            segment: node + 1,
            addresses: Vec::new(),
        };
        vec![own, other]
    };
    (0..count).map(links).collect()
}

/// Every node is master of everything for a while, and is heard by the others then.
pub(super) fn everybody_is_heard(stage: &mut Stage<'_>, count: usize) {
    for node in 0..count {
        stage.isolate(node, true);
        stage.settle();
        stage.isolate(node, false);
        stage.settle();
    }
}

/// Whether every router that there is was heard with the priority that it has now. Groups of other nodes are never known.
fn knows_everybody(core: &Core, stage: &Stage<'_>, count: usize) -> bool {
    let before = core.snapshot(stage.now());
    let around = Around::of(core, &before, stage.now());
    let heard: Vec<&Instance> = around.nodes.iter().flat_map(|node| &node.model.instances).collect();
    let is_so = |config: &Instance| {
        let number = (1..=count).find(|number| address(config, u8::try_from(*number).unwrap_or(0)) == config.source);
        let node = number.and_then(|number| stage.core(number - 1));
        let now = node.and_then(|core| {
            let same = |one: &Instance| one.vrid == config.vrid && one.family == config.family;
            core.brief(core.model().instances.iter().position(same)?)
        });
        now.is_some_and(|now| now.priority == config.priority)
    };
    let all = heard.len() == core.model().instances.len() * (count - 1);
    all && core.model().groups.is_empty() && heard.into_iter().all(is_so)
}

/// Another configuration: one thing of one instance, or one instance is gone or new.
fn changed(old: &Model, random: &mut Random) -> (Model, &'static str) {
    let mut new = old.clone();
    let at = random.index(new.instances.len());
    match random.below(12) {
        0 => return (new, "nothing"),
        1 | 2 => {
            if let Some(config) = new.instances.get_mut(at) {
                config.priority = Priority(u8::try_from(random.between(1, 254)).unwrap_or(100));
            }
            return (new, "priority");
        }
        3 if new.groups.is_empty() && new.instances.len() > 1 => {
            new.instances.remove(at);
            return (new, "an instance less");
        }
        4 => {
            if let Some(config) = new.instances.get_mut(at) {
                config.interface = Some(draw::other_link());
            }
            return (new, "another link");
        }
        _ => {}
    }
    for _ in 0..50 {
        let touch = TOUCHES.get(random.index(TOUCHES.len()));
        let (Some(touch), Some(config)) = (touch, new.instances.get_mut(at)) else {
            continue;
        };
        let before = config.clone();
        if (touch.change)(config, random) && *config != before {
            return (new, touch.keyword);
        }
        *config = before;
    }
    (new, "nothing")
}

fn compare(
    forecast: &Forecast,
    stage: &mut Stage<'_>,
    begun: Instant,
    own: usize,
    before: &BTreeMap<InstanceId, Arc<str>>,
) -> Result<(), String> {
    let mut steps: BTreeMap<Arc<str>, Vec<(u64, StateName, StateName)>> = BTreeMap::new();
    let mut released: Vec<Arc<str>> = Vec::new();
    let core = stage.core(own).cloned();
    let names = |id: InstanceId| {
        let now = core
            .as_ref()
            .and_then(|core| Some(Arc::clone(&core.model().instances.get(core.position(id)?)?.name)));
        now.or_else(|| before.get(&id).cloned())
    };
    for (node, deed) in stage.take_deeds() {
        match deed {
            _ if node != own => {}
            Deed::Became(at, change) => {
                let after = at.since(begun).as_millis();
                steps
                    .entry(change.name)
                    .or_default()
                    .push((after, change.from, change.to));
            }
            Deed::Released(id) => released.extend(names(id)),
        }
    }
    for one in &forecast.instances {
        let position = core
            .as_ref()
            .and_then(|core| core.model().instances.iter().position(|config| config.name == one.name));
        let state = position.and_then(|at| core.as_ref()?.state(at));
        if state != one.to {
            return Err(format!("{} became {state:?}", one.name));
        }
        let foreseen: Vec<_> = one
            .steps
            .iter()
            .map(|step| (step.after_ms, step.from, step.to))
            .collect();
        let real = steps.remove(&one.name).unwrap_or_default();
        let same = |(foreseen, real): (&(u64, StateName, StateName), &(u64, StateName, StateName))| {
            foreseen.0.abs_diff(real.0) <= NEAR_MS && (foreseen.1, foreseen.2) == (real.1, real.2)
        };
        if foreseen.len() != real.len() || !foreseen.iter().zip(&real).all(same) {
            return Err(format!("{} went through {real:?}", one.name));
        }
        let real = released.contains(&one.name);
        if one.releases != real {
            return Err(format!("{} released: {real}", one.name));
        }
    }
    Ok(())
}
