//! Tree → drafts: what the keywords' values mean, and what all keywords share while they are read.
//!
//! The keywords themselves stand in `schema`; `address`, `route` and `rule` read one line each of the blocks of that kind,
//! `track` the lines of `track_*`, `blocks` begins and ends the blocks of the top level. What follows from a whole
//! draft, and the model, is made by `check`.

pub(super) mod address;
pub(super) mod blocks;
mod command;
pub(super) mod names;
pub(super) mod route;
pub(super) mod rule;
pub(super) mod service;
mod track;

pub(super) use address::print_address;
pub(super) use command::{Command, account, print_argv, program_user};
pub(super) use names::Names;
pub(super) use track::Tracks;

use super::code::Code;
use super::diagnostic::{Class, Diagnostic};
use super::place::{Place, Reports};
use super::schema::Read;
use super::source::{Host, InterfaceFacts};
use super::tree::Node;
use crate::model::{Family, IfName, ProgramUser, TrackGroupId, Weight};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that is defined by a name: its position, its default weight, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) id: u32,
    pub(super) weight: Weight,
    pub(super) place: Place,
}

/// Names of one kind of block. References take the first of that name.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeMap<Arc<str>, Known>);

impl Registry {
    /// The block of this name that was defined before.
    pub(super) fn get(&self, name: &str) -> Option<Known> {
        self.0.get(name).copied()
    }

    /// Adds a block, unless the name is there already.
    pub(super) fn add(&mut self, name: &Arc<str>, known: Known) {
        self.0.entry(Arc::clone(name)).or_insert(known);
    }

    /// The name of a block by its position.
    pub(super) fn name(&self, id: u32) -> &str {
        self.0
            .iter()
            .find(|(_, known)| known.id == id)
            .map_or("", |(name, _)| name)
    }

    /// The name that is most like a mistyped one.
    fn nearest(&self, name: &str) -> Option<String> {
        super::schema::nearest_name(name, self.0.keys().map(AsRef::as_ref)).map(str::to_owned)
    }
}

/// Everything that the keywords share while they are read.
pub(super) struct Context<'a> {
    pub(super) reports: Reports,
    pub(super) host: &'a dyn Host,
    /// `-t`: numbers with something behind them are wrong.
    pub(super) test: bool,
    /// The order of the lines counts; not in TOML.
    pub(super) in_order: bool,
    pub(super) scripts: Registry,
    pub(super) files: Registry,
    pub(super) processes: Registry,
    pub(super) bfds: Registry,
    pub(super) instances: Registry,
    pub(super) groups: Registry,
    pub(super) track_groups: Registry,
    /// Preferences of rules without one: they count down, IPv4 and IPv6.
    pub(super) next_preference: [u32; 2],
    interfaces: BTreeMap<IfName, Option<InterfaceFacts>>,
    links: BTreeMap<IfName, Arc<str>>,
    address_links: BTreeMap<(Arc<str>, IfName, Family), IfName>,
    missing: BTreeSet<IfName>,
    not_acted_on: BTreeSet<String>,
    /// `dynamic_interfaces`: interfaces may be missing.
    pub(super) dynamic_interfaces: bool,
    /// Who runs what names nobody; `None` inside: the daemon's own user; `None`: such programs are refused.
    pub(super) default_user: Option<Option<ProgramUser>>,
    /// That there is none has been told.
    pub(super) default_user_told: bool,
    /// Where keepalived sees what is wrong with a word of the block that is read.
    pub(super) told_at: Option<Place>,
    /// Nothing can run.
    pub(super) fatal: bool,
    /// The worst class when keepalived stops at a missing interface.
    pub(super) stops_with: Option<Class>,
}

impl<'a> Context<'a> {
    pub(super) fn new(host: &'a dyn Host, test: bool) -> Self {
        Self {
            reports: Reports::default(),
            host,
            test,
            in_order: true,
            scripts: Registry::default(),
            files: Registry::default(),
            processes: Registry::default(),
            bfds: Registry::default(),
            instances: Registry::default(),
            groups: Registry::default(),
            track_groups: Registry::default(),
            next_preference: [16_384; 2],
            interfaces: BTreeMap::new(),
            links: BTreeMap::new(),
            address_links: BTreeMap::new(),
            missing: BTreeSet::new(),
            not_acted_on: BTreeSet::new(),
            dynamic_interfaces: false,
            default_user: Some(None),
            default_user_told: false,
            told_at: None,
            fatal: false,
            stops_with: None,
        }
    }

    /// Works with the list of problems of whoever reads the text.
    pub(super) fn with<T>(&mut self, reports: &mut Reports, work: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.reports, reports);
        let result = work(self);
        std::mem::swap(&mut self.reports, reports);
        result
    }

    /// A word that has to be there; without it keepalived ends at once, we go on collecting.
    pub(super) fn required<'n>(&mut self, node: &'n Node, index: usize) -> Option<&'n str> {
        let word = node.word(index);
        if word.is_none() {
            let (key, last) = (node.key(), node.words().last().unwrap_or_default());
            let message = format!(
                "*** Configuration line starting `{key}` is missing a parameter after keyword `{last}` at word position {}",
                index + 1
            );
            self.reports
                .at(node.place, Code::MissingParameter, Class::MissingParameter, message);
            self.fatal = true;
        }
        word
    }

    /// A number that was read, or what is wrong with it; a warning is told here.
    pub(super) fn number<T>(&mut self, read: Read<T>, node: &Node, index: usize) -> Result<T, Option<String>> {
        match read {
            Read::Good(value) => Ok(value),
            Read::Warned(value, detail) => {
                self.reports
                    .at(node.place_of(index), Code::BadNumber, Class::InvalidNumber, detail);
                Ok(value)
            }
            Read::Bad(detail) => Err(detail),
        }
    }

    /// Facts of an interface, if it exists. The host is asked once for each.
    pub(super) fn interface(&mut self, name: &IfName) -> Option<InterfaceFacts> {
        if let Some(facts) = self.interfaces.get(name) {
            return *facts;
        }
        let facts = self.host.interface(name);
        self.interfaces.insert(name.clone(), facts);
        facts
    }

    /// An interface that does not exist is named. With `dynamic_interfaces` it may come later, which is told once.
    pub(super) fn missing_interface(&mut self, node: &Node, index: usize, name: &IfName, message: String) {
        let first = self.missing.insert(name.clone());
        let place = node.place_of(index);
        if !self.dynamic_interfaces {
            let diagnostic = self
                .reports
                .end(place, self.told_at, Code::MissingInterface, Class::General, message);
            diagnostic.hint = Some(format!(
                "{name}: vrrpd waits until it appears; keepalived does not start without dynamic_interfaces"
            ));
        } else if first {
            let message =
                format!("Configuration specifies interface {name} which doesn't currently exist - will use if created");
            self.reports.at(place, Code::MissingInterface, None, message);
        }
    }

    /// The default interface of a static address does not exist.
    pub(super) fn missing_default(&mut self, place: Place, name: &IfName, message: String) {
        self.missing.insert(name.clone());
        self.reports.at(place, Code::MissingInterface, Class::Fatal, message);
    }

    /// Says once more that interfaces are missing, if that counts.
    pub(super) fn settle_interfaces(&mut self) {
        if !self.missing.is_empty() && !self.dynamic_interfaces {
            let message = "Non-existent interface specified in configuration".into();
            let diagnostic = self.reports.whole(Code::MissingInterface, Class::BadInterface, message);
            let names: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
            diagnostic.hint = Some(names.join(", "));
            self.stops_with = self.reports.iter_mut().filter_map(|diagnostic| diagnostic.class).max();
        }
    }

    /// Takes the name of a link for an instance; the instance that has it already.
    pub(super) fn claim_link(&mut self, name: &IfName, instance: &Arc<str>) -> Option<Arc<str>> {
        let holder = self.links.entry(name.clone()).or_insert_with(|| Arc::clone(instance));
        (holder != instance).then(|| Arc::clone(holder))
    }

    /// Whether an instance has taken the name of a link.
    pub(super) fn is_link(&self, name: &IfName) -> bool {
        self.links.contains_key(name)
    }

    /// Whether an interface has this name, or the configuration names it as one that will be there.
    pub(super) fn is_taken(&self, name: &IfName) -> bool {
        self.missing.contains(name) || !self.host.is_free(name)
    }

    /// The VMAC of an instance's addresses on an interface that is not its own, once it has a name.
    pub(super) fn address_link(&self, instance: &Arc<str>, interface: &IfName, family: Family) -> Option<IfName> {
        self.address_links
            .get(&(Arc::clone(instance), interface.clone(), family))
            .cloned()
    }

    /// Keeps the name of such a VMAC.
    pub(super) fn set_address_link(&mut self, instance: &Arc<str>, interface: &IfName, family: Family, link: &IfName) {
        self.address_links
            .insert((Arc::clone(instance), interface.clone(), family), link.clone());
    }

    /// There is no user for what names none. Told once.
    pub(super) fn no_default_user(&mut self, place: Place, end: Option<Place>) {
        if !std::mem::replace(&mut self.default_user_told, true) {
            let message = "Unable to set default user keepalived_script for script".into();
            let diagnostic = self.reports.end(place, end, Code::ScriptUser, Class::General, message);
            diagnostic.hint = Some("write script_user into global_defs, or make the user keepalived_script".into());
        }
    }

    /// A keyword of keepalived that this build reads but does not carry out, or not as a whole: `what` it does.
    pub(super) fn not_acted_on(&mut self, node: &Node, what: &str) {
        if !self.not_acted_on.contains(node.key()) {
            self.not_acted_on.insert(node.key().to_owned());
            let message = format!("this build {what} `{}` yet", node.key());
            self.reports.at(node.place_of(0), Code::NotActedOn, None, message);
        }
    }

    /// A name that is not defined: a hint what was meant.
    pub(super) fn unknown_name(&mut self, node: &Node, index: usize, name: &str, kind: Kind, message: String) {
        let registry = match kind {
            Kind::Script => &self.scripts,
            Kind::File => &self.files,
            Kind::Process => &self.processes,
            Kind::Bfd => &self.bfds,
            Kind::TrackGroup => &self.track_groups,
        };
        let hint = registry.nearest(name).map(|known| format!("did you mean `{known}`?"));
        let diagnostic = self
            .reports
            .at(node.place_of(index), Code::UnknownReference, Class::General, message);
        diagnostic.hint = hint;
    }

    /// A track group by its name.
    pub(super) fn track_group(&mut self, node: &Node, index: usize) -> Option<TrackGroupId> {
        let name = node.word(index)?;
        let known = self.track_groups.get(name);
        if known.is_none() {
            self.unknown_name(
                node,
                index,
                name,
                Kind::TrackGroup,
                format!("track_group {name} not found"),
            );
        }
        known.map(|known| TrackGroupId(known.id))
    }

    /// A problem found after the blocks; it has no line in keepalived, but a place.
    pub(super) fn check(
        &mut self,
        place: Place,
        code: Code,
        class: impl Into<Option<Class>>,
        message: String,
    ) -> &mut Diagnostic {
        self.reports.check(place, code, class, message)
    }
}

/// What a name can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `vrrp_script`.
    Script,
    /// `track_file`.
    File,
    /// `vrrp_track_process`.
    Process,
    /// `bfd_instance`.
    Bfd,
    /// `track_group`.
    TrackGroup,
}
