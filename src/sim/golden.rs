//! Canonical stories with all that their nodes do: what an operator would tell of a cluster, line by line.

use super::Planted;
use super::draw::other_link;
use super::node::{Node, weight};
use super::scenario::{grouped, instance, node};
use super::story::Story;
use super::world::World;
use crate::model::{Family, Instance, Micros, Priority, TrackInterface, WantedState};
use crate::proto::Event;

/// A story to play.
type Play = fn() -> World;

/// All stories, by name.
const STORIES: [(&str, Play); 12] = [
    ("take-over", take_over),
    ("hand-back", hand_back),
    ("nopreempt", nopreempt),
    ("priority-0", priority_zero),
    ("owner", owner),
    ("equal-priorities", equal_priorities),
    ("group-fault", group_fault),
    ("tracker-failure", tracker_failure),
    ("stolen-address", stolen_address),
    ("learned-interval", learned_interval),
    ("drain", drain),
    ("reload-under-a-fault", reload_under_a_fault),
];

/// Plays all stories: names and texts.
#[must_use]
pub fn golden_stories() -> Vec<(&'static str, String)> {
    let play = |(name, play): (&'static str, Play)| {
        let mut world = play();
        let text = world.story.take().map_or_else(String::new, Story::finish);
        let flaws: Vec<String> = world.violations.iter().map(ToString::to_string).collect();
        (name, text + &flaws.join("\n"))
    };
    STORIES.into_iter().map(play).collect()
}

fn begin(nodes: Vec<Node>) -> World {
    let mut world = World::asleep(nodes, 1, Planted::nothing());
    world.story = Some(Story::default());
    world
}

fn boot(world: &mut World, index: usize) {
    world.disturb(&format!("node {} starts", index + 1));
    world.boot(index);
}

/// Two nodes that start together, and 6 s.
fn pair(first: Instance, second: Instance) -> World {
    let mut world = begin(vec![node(first, 1, None), node(second, 2, None)]);
    boot(&mut world, 0);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(6));
    world
}

fn plain(priority: u8) -> Instance {
    instance(Family::Ipv4, priority)
}

fn take_over() -> World {
    let mut world = pair(plain(150), plain(100));
    world.disturb("node 1 dies without a word");
    world.crash(0);
    world.advance(Micros::from_secs(12));
    world
}

fn hand_back() -> World {
    let mut world = begin(vec![node(plain(150), 1, None), node(plain(100), 2, None)]);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(5));
    boot(&mut world, 0);
    world.advance(Micros::from_secs(5));
    world
}

fn nopreempt() -> World {
    let mut better = plain(150);
    better.preempt = false;
    let mut world = begin(vec![node(better, 1, None), node(plain(100), 2, None)]);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(5));
    boot(&mut world, 0);
    world.advance(Micros::from_secs(8));
    world.disturb("node 2 stops");
    world.stop(1);
    world.advance(Micros::from_secs(2));
    world
}

fn priority_zero() -> World {
    let mut world = pair(plain(150), plain(100));
    world.disturb("node 1 stops");
    world.stop(0);
    world.advance(Micros::from_secs(3));
    world
}

fn owner() -> World {
    let mut owns = plain(255);
    owns.priority = Priority::OWNER;
    owns.state = WantedState::Master;
    let mut world = pair(owns, plain(100));
    world.disturb("the link of node 1 goes down");
    world.set_link(0, false);
    world.advance(Micros::from_secs(5));
    world.disturb("it comes up again");
    world.set_link(0, true);
    world.advance(Micros::from_secs(5));
    world
}

fn equal_priorities() -> World {
    let mut world = begin(vec![node(plain(100), 1, None), node(plain(100), 2, None)]);
    world.network.set_cut(0, 1, true);
    world.network.set_cut(1, 0, true);
    boot(&mut world, 0);
    boot(&mut world, 1);
    world.disturb("they do not hear each other");
    world.advance(Micros::from_secs(5));
    world.disturb("now they do");
    world.network.heal();
    world.advance(Micros::from_secs(7));
    world
}

fn group_fault() -> World {
    let mut tracks = plain(150);
    tracks.track_interfaces = vec![TrackInterface {
        interface: other_link(),
        weight: weight(0),
    }];
    let first = grouped(node(tracks, 1, None), 150);
    let second = grouped(node(plain(100), 2, None), 100);
    let mut world = begin(vec![first, second]);
    if let Some(node) = world.nodes.first_mut() {
        node.other_link_up = Some(true);
    }
    boot(&mut world, 0);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(6));
    world.disturb("the link that VI_1 of node 1 tracks goes down");
    world.set_other_link(0, false);
    world.advance(Micros::from_secs(3));
    world.disturb("it comes up again");
    world.set_other_link(0, true);
    world.advance(Micros::from_secs(6));
    world
}

fn tracker_failure() -> World {
    let nodes = vec![
        node(plain(105), 1, Some((11, 1, 1))),
        node(plain(110), 2, Some((11, 1, 1))),
    ];
    let mut world = begin(nodes);
    boot(&mut world, 0);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(6));
    world.disturb("the service on node 2 fails");
    world.set_service(1, false);
    world.advance(Micros::from_secs(8));
    world.disturb("it is well again");
    world.set_service(1, true);
    world.advance(Micros::from_secs(8));
    world
}

fn stolen_address() -> World {
    let mut world = pair(plain(150), plain(100));
    for _ in 0..6 {
        world.disturb("somebody deletes the address on node 1");
        world.steal(0, 0);
        world.advance(Micros::from_secs(1));
    }
    world.advance(Micros::from_secs(2));
    world
}

/// Handed over for maintenance, a reload meanwhile, and back.
fn drain() -> World {
    let mut world = pair(plain(150), plain(100));
    world.disturb("node 1 is drained for 20 s");
    let length = Some(Micros::from_secs(20));
    let (name, force) = (None, false);
    world.tell(0, Event::Drain { name, length, force });
    world.advance(Micros::from_secs(5));
    world.disturb("node 1 reads its configuration again, with priority 200");
    world.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(200))
    });
    world.advance(Micros::from_secs(20));
    world
}

/// While the check of the second node fails it gets another priority: it follows at once, and comes back with the service.
fn reload_under_a_fault() -> World {
    let nodes = vec![
        node(plain(105), 1, Some((11, 1, 1))),
        node(plain(110), 2, Some((11, 1, 1))),
    ];
    let mut world = begin(nodes);
    boot(&mut world, 0);
    boot(&mut world, 1);
    world.advance(Micros::from_secs(6));
    world.disturb("the service on node 2 fails");
    world.set_service(1, false);
    world.advance(Micros::from_secs(8));
    world.disturb("node 2 reads its configuration again, with priority 120");
    world.reload(1, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(120))
    });
    world.advance(Micros::from_secs(6));
    world.disturb("the service on node 2 is well");
    world.set_service(1, true);
    world.advance(Micros::from_secs(6));
    world
}

fn learned_interval() -> World {
    let (mut slow, mut quick) = (instance(Family::Ipv6, 150), instance(Family::Ipv6, 100));
    slow.advert_interval = crate::model::AdvertInterval::from_centiseconds(300).unwrap_or_default();
    quick.advert_interval = crate::model::AdvertInterval::from_centiseconds(50).unwrap_or_default();
    let mut world = pair(slow, quick);
    world.advance(Micros::from_secs(15));
    world.disturb("node 1 dies without a word");
    world.crash(0);
    world.advance(Micros::from_secs(12));
    world
}
