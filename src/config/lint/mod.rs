//! What keepalived does not say: settings that work as written and will surprise somebody.
//!
//! A lint looks at the finished model and, for the place, at the tree. It never changes anything, and runs only when
//! somebody asks for it ([`crate::config::LoadOptions::lint`]): a start and `-t` say what keepalived says.

mod address;
mod bfd;
mod priority;
mod program;
#[cfg(test)]
mod tests;
mod transport;

use super::code::Code;
use super::diagnostic::{Diagnostic, Severity};
use super::place::{Place, Reports};
use super::source::Host;
use super::tree::Node;
use crate::model::{IfName, Instance, Model, Script};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

/// All lints of a model.
pub(super) fn lint(tree: &[Node], model: &Model, host: &dyn Host, reports: &mut Reports) {
    let mut blocks = BTreeMap::new();
    for node in tree {
        // Of several with one name the first one counts.
        blocks.entry((node.key(), node.first())).or_insert(node);
    }
    let mut linter = Linter {
        blocks,
        addresses: RefCell::default(),
        model,
        host,
        reports,
    };
    for instance in &model.instances {
        priority::lint(instance, &mut linter);
        address::lint(instance, &mut linter);
        transport::lint(instance, &mut linter);
    }
    bfd::lint(&mut linter);
    program::lint(&mut linter);
}

/// Addresses of interfaces with the lengths of their prefixes.
type Addresses = BTreeMap<IfName, Rc<[(IpAddr, u8)]>>;

/// What the lints look at, and where they put what they find.
struct Linter<'a> {
    blocks: BTreeMap<(&'a str, Option<&'a str>), &'a Node>,
    /// What the host said of its interfaces; it is asked once for each.
    addresses: RefCell<Addresses>,
    model: &'a Model,
    host: &'a dyn Host,
    reports: &'a mut Reports,
}

impl<'a> Linter<'a> {
    /// The block of a name.
    fn block(&self, key: &str, name: &str) -> Option<&'a Node> {
        self.blocks.get(&(key, Some(name))).copied()
    }

    /// The addresses of an interface.
    fn addresses(&self, interface: &IfName) -> Rc<[(IpAddr, u8)]> {
        if let Some(known) = self.addresses.borrow().get(interface) {
            return Rc::clone(known);
        }
        let found: Rc<[_]> = self.host.addresses(interface).into();
        self.addresses.borrow_mut().insert(interface.clone(), Rc::clone(&found));
        found
    }

    /// The last line of an instance with this keyword: the one that counts. Else the block itself.
    fn place(&self, instance: &Instance, key: &str) -> Place {
        let block = self.block("vrrp_instance", &instance.name);
        let line = block.and_then(|block| block.children.iter().rev().find(|child| child.key() == key));
        line.or(block).map(|node| node.place).unwrap_or_default()
    }

    /// A line inside a list of an instance, by its first word.
    fn entry(&self, instance: &Instance, list: &str, word: &str) -> Place {
        let block = self.block("vrrp_instance", &instance.name);
        let lists = block
            .into_iter()
            .flat_map(|block| &block.children)
            .filter(|child| child.key() == list);
        let line = lists.flat_map(|list| &list.children).find(|line| line.key() == word);
        line.map_or_else(|| self.place(instance, list), |line| line.place_of(0))
    }

    /// A line of a script.
    fn script_place(&self, script: &Script, key: &str) -> Place {
        let block = self.block("vrrp_script", &script.name);
        let line = block.and_then(|block| block.children.iter().rev().find(|child| child.key() == key));
        line.or(block).map(|node| node.place).unwrap_or_default()
    }

    fn warn(&mut self, place: Place, code: Code, message: String) -> &mut Diagnostic {
        self.report(place, Severity::Warning, code, message)
    }

    fn note(&mut self, place: Place, code: Code, message: String) -> &mut Diagnostic {
        self.report(place, Severity::Note, code, message)
    }

    fn report(&mut self, place: Place, severity: Severity, code: Code, message: String) -> &mut Diagnostic {
        let diagnostic = self.reports.at(place, code, None, message);
        diagnostic.severity = severity;
        diagnostic
    }
}
