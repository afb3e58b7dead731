//! Tree → model: what the keywords mean, with keepalived's defaults, limits and consequences.
//!
//! `global`, `script` and `instance` read one block each; `address` one line of addresses; `complete` makes what
//! contradicts itself consistent (semantic-checks §6). A keyword is one arm in its block's file.

mod address;
mod complete;
mod global;
mod instance;
mod script;
mod values;

use super::diagnostic::{Class, Diagnostic, Position};
use super::source::Host;
use super::tree::Node;
use crate::model::{Global, IfName, Model, Script, ScriptId};
use std::collections::BTreeSet;

/// Everything that the blocks share while they are read.
struct Context<'a> {
    host: &'a dyn Host,
    diagnostics: &'a mut Vec<Diagnostic>,
    global: Global,
    scripts: Vec<Script>,
    not_acted_on: BTreeSet<String>,
    missing_interface: bool,
    fatal: bool,
    any_program: bool,
}

impl Context<'_> {
    fn report(&mut self, class: Class, position: &Position, message: String) {
        let position = Some(position.clone());
        self.diagnostics.push(Diagnostic {
            class: Some(class),
            position,
            message,
            hint: None,
        });
    }

    fn general(&mut self, node: &Node, message: String) {
        self.report(Class::General, &node.position, message);
    }

    /// A check after the end of the blocks: it has no line.
    fn check(&mut self, class: Class, message: String) {
        self.diagnostics.push(Diagnostic {
            class: Some(class),
            position: None,
            message,
            hint: None,
        });
    }

    fn note(&mut self, node: Option<&Node>, message: String) {
        let position = node.map(|node| node.position.clone());
        self.diagnostics.push(Diagnostic {
            class: None,
            position,
            message,
            hint: None,
        });
    }

    /// The first argument; without it keepalived ends at once, we go on collecting.
    fn required<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        if node.first().is_none() {
            let message = format!(
                "*** Configuration line starting `{}` is missing a parameter after keyword `{}` at word position 2",
                node.key, node.key
            );
            self.report(Class::MissingParameter, &node.position, message);
            self.fatal = true;
        }
        node.first()
    }

    /// An interface name that has to exist, or to be allowed to appear later (DESIGN difference 3: a missing one is waited for).
    fn interface(&mut self, name: &str) -> Option<IfName> {
        let name: IfName = name.parse().ok()?;
        if self.host.interface(&name).is_none() {
            self.missing_interface = true;
        }
        Some(name)
    }

    /// A keyword of keepalived that this build reads but does not carry out.
    fn not_acted_on(&mut self, node: &Node) {
        if self.not_acted_on.insert(node.key.clone()) {
            self.note(Some(node), format!("this build does not act on `{}` yet", node.key));
        }
    }

    fn script_id(&self, name: &str) -> Option<ScriptId> {
        let index = self.scripts.iter().position(|script| *script.name == *name)?;
        u32::try_from(index).ok().map(ScriptId)
    }
}

/// The model, unless a problem is such that it cannot run.
pub(super) fn lower(tree: &[Node], host: &dyn Host, diagnostics: &mut Vec<Diagnostic>) -> Option<Model> {
    let mut ctx = Context {
        host,
        diagnostics,
        global: Global::default(),
        scripts: Vec::new(),
        not_acted_on: BTreeSet::new(),
        missing_interface: false,
        fatal: false,
        any_program: false,
    };
    // The whole of global_defs counts before any instance, whatever the order in the file (config-language §0).
    for node in tree {
        global::top_level(node, &mut ctx);
    }
    global::finish(&mut ctx);
    let mut drafts: Vec<instance::Draft> = Vec::new();
    let mut foreign = false;
    for node in tree {
        match node.key.as_str() {
            "vrrp_script" => script::block(node, &mut ctx),
            "vrrp_instance" => instance::block(node, &mut drafts, &mut ctx),
            "virtual_server" | "virtual_server_group" | "SSL" if !foreign => {
                foreign = true;
                let message = "LVS blocks are not handled by vrrpd, run `keepalived --check` beside it for these";
                ctx.note(Some(node), message.into());
            }
            "vrrp_sync_group"
            | "track_group"
            | "garp_group"
            | "vrrp_track_process"
            | "track_file"
            | "vrrp_track_file"
            | "bfd_instance"
            | "static_ipaddress"
            | "static_routes"
            | "static_rules"
            | "linkbeat_interfaces"
            | "interface_up_down_delays" => ctx.not_acted_on(node),
            _ => {}
        }
    }
    if ctx.missing_interface && !ctx.global.dynamic_interfaces {
        ctx.check(
            Class::BadInterface,
            "Non-existent interface specified in configuration".into(),
        );
    }
    if ctx.any_program && !drafts.is_empty() && !ctx.global.script_security {
        let message = "SECURITY VIOLATION - scripts are being executed but script_security not enabled.";
        ctx.check(Class::Security, message.into());
    }
    let instances: Vec<_> = drafts
        .into_iter()
        .filter_map(|draft| complete::complete(draft, &mut ctx))
        .collect();
    complete::duplicate_vrids(&instances, &mut ctx);
    let fatal = ctx.fatal;
    let mut model = Model {
        global: ctx.global,
        scripts: ctx.scripts,
        instances,
        ..Model::default()
    };
    drop_unused_scripts(&mut model, diagnostics);
    (!fatal).then_some(model)
}

/// A script that nobody tracks is not run.
fn drop_unused_scripts(model: &mut Model, diagnostics: &mut Vec<Diagnostic>) {
    let used: BTreeSet<ScriptId> = model
        .instances
        .iter()
        .flat_map(|i| &i.track_scripts)
        .map(|track| track.script)
        .collect();
    let (mut kept, mut renumbered) = (Vec::new(), std::collections::BTreeMap::new());
    for (index, script) in std::mem::take(&mut model.scripts).into_iter().enumerate() {
        let id = u32::try_from(index).map(ScriptId);
        match id {
            Ok(id) if used.contains(&id) => {
                renumbered.insert(id, ScriptId(u32::try_from(kept.len()).unwrap_or(u32::MAX)));
                kept.push(script);
            }
            _ => {
                let message = format!("Warning - script {} is not used", script.name);
                diagnostics.push(Diagnostic {
                    class: None,
                    position: None,
                    message,
                    hint: None,
                });
            }
        }
    }
    model.scripts = kept;
    for track in model.instances.iter_mut().flat_map(|i| &mut i.track_scripts) {
        if let Some(id) = renumbered.get(&track.script) {
            track.script = *id;
        }
    }
}
