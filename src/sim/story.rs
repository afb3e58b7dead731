//! Everything that the nodes do, line by line, for people: what the golden stories are made of.

use super::world::World;
use crate::model::{Family, Instant};
use crate::proto::{Action, LogEvent, Transmit};
use crate::wire::vrrp::AdvertView;

/// A written story. Adverts that say the same again and again are counted, not repeated.
#[derive(Debug, Default)]
pub(super) struct Story {
    text: String,
    /// The line that repeats, how often it did, and the last time.
    repeated: Vec<(String, u32, Instant)>,
}

impl Story {
    /// Writes a line that happened now.
    pub(super) fn write(&mut self, now: Instant, line: &str) {
        if line.contains(" sends ") {
            if let Some((_, times, last)) = self.repeated.iter_mut().find(|(known, _, _)| known == line) {
                *times += 1;
                *last = now;
                return;
            }
            self.repeated.push((line.to_owned(), 0, now));
        } else {
            self.flush();
        }
        self.put(now, line);
    }

    fn put(&mut self, at: Instant, line: &str) {
        self.text.push_str(&format!("{:>12}  {line}\n", at.to_string()));
    }

    fn flush(&mut self) {
        for (line, times, last) in std::mem::take(&mut self.repeated) {
            if times > 0 {
                self.put(last, &format!("{line} (the last of {times} more)"));
            }
        }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

/// What an action does, in words; nothing for what only the driver needs.
pub(super) fn line(world: &World, node: usize, action: &Action) -> Option<String> {
    let name = |instance| {
        let node = world.nodes.get(node)?;
        let config = node.model.instances.get(node.seat_of(instance)?)?;
        Some(config.name.to_string())
    };
    let addresses = |wish: &crate::proto::AddressWish| {
        let all = wish
            .addresses
            .iter()
            .map(|vip| format!("{}/{}", vip.address, vip.prefix_len));
        all.collect::<Vec<_>>().join(" ")
    };
    let what = match action {
        Action::Transmit(transmit) => format!("{} sends {}", name(transmit.instance)?, advert(transmit)),
        Action::SetAddresses(wish) => format!("{} wants {}", name(wish.instance)?, addresses(wish)),
        Action::ClearAddresses(wish) => format!("{} does not want {}", name(wish.instance)?, addresses(wish)),
        Action::RestoreAddress { instance, index, .. } => format!("{} wants address {index} back", name(*instance)?),
        Action::Announce(announce) => {
            let all = announce.addresses.iter().map(|(address, _)| address.to_string());
            let all = all.collect::<Vec<_>>().join(" ");
            format!(
                "{} announces {all}, {} times",
                name(announce.instance)?,
                announce.rounds
            )
        }
        Action::StateChanged(change) => {
            let (from, to, reason) = (change.from.as_str(), change.to.as_str(), &change.reason);
            format!("{} was {from} and is {to}: {reason}", change.name)
        }
        Action::GroupChanged(change) => {
            format!(
                "{} was {} and is {}",
                change.name,
                change.from.as_str(),
                change.to.as_str()
            )
        }
        Action::RunScript { .. } => "starts its check".into(),
        Action::Log(LogEvent::Instance { name, line }) => format!("{name} logs {line:?}"),
        Action::Log(LogEvent::Group { name, line }) => format!("{name} logs {line:?}"),
        Action::Log(LogEvent::Script { name, line }) => format!("{name} logs {line:?}"),
        Action::Log(_) => return None,
        Action::Stopped => "has stopped".into(),
        Action::OpenSocket(_)
        | Action::CloseSocket(_)
        | Action::AskLink { .. }
        | Action::Happened(_)
        | Action::KillScript { .. }
        | Action::Notify(_)
        | Action::RunNotify(_) => return None,
    };
    Some(format!("node {}  {what}", node + 1))
}

fn advert(transmit: &Transmit) -> String {
    let family = Family::of(transmit.source);
    let begin = if transmit.protocol == crate::wire::ip::PROTO_AH {
        24
    } else {
        0
    };
    let message = transmit.message.get(begin..).unwrap_or_default();
    let Ok(view) = AdvertView::new(family, message) else {
        return "something else".into();
    };
    let interval = if view.version() == 2 {
        u16::from(view.interval_seconds()) * 100
    } else {
        view.interval_centiseconds()
    };
    let addresses: Vec<String> = view.addresses().map(|address| address.to_string()).collect();
    format!(
        "VRRPv{}, VRID {}, priority {}, interval {interval} cs, {}, to {}",
        view.version(),
        view.vrid(),
        view.priority().get(),
        addresses.join(" "),
        transmit.destination
    )
}
