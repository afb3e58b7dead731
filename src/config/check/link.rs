//! VMACs and ipvlans: which link an instance makes, its name, and which addresses it carries (semantic-checks §6, 24 to 25, 56 to 63).

use super::general;
use crate::config::code::Code;
use crate::config::lower::Context;
use crate::config::place::Place;
use crate::config::schema::instance::Draft;
use crate::config::schema::instance_links::Mac;
use crate::model::{ConfigFault, Family, Global, IfName, Ipvlan, MacAddr, OwnLink, VirtualAddress, Vmac, Vrid};

/// How many names are tried.
const MAX_NAMES: u32 = 100_000;

/// The link of the instance.
pub(super) fn own(
    draft: &mut Draft,
    vrid: Vrid,
    family: Family,
    strict: bool,
    fault: &mut Option<ConfigFault>,
    global: &Global,
    ctx: &mut Context<'_>,
) -> Option<Box<OwnLink>> {
    let (name, place) = (draft.name.clone(), draft.place);
    let tell = |code: Code, why: &str, ctx: &mut Context<'_>| {
        let about = &["use_vmac", "use_ipvlan", "vmac_xmit_base"];
        general(ctx, place, code, format!("({name}){why}")).about(about);
    };
    let facts = draft.interface.as_ref().and_then(|interface| ctx.interface(interface));
    let mut link = draft.link.take();
    if let Some(written) = &mut link {
        if strict && written.mac.take().is_some() {
            tell(
                Code::StrictMode,
                ": cannot specify MAC address with strict mode - clearing",
                ctx,
            );
        }
        if facts.is_some_and(|facts| !facts.ethernet) {
            tell(
                Code::OwnLink,
                ": vmacs are only supported on Ethernet type interfaces",
                ctx,
            );
            *fault = Some(ConfigFault::NotEthernet);
            link = None;
        }
    }
    if draft.vmac_xmit_base && strict {
        tell(
            Code::StrictMode,
            " xmit_base is incompatible with strict mode - resetting",
            ctx,
        );
        draft.vmac_xmit_base = false;
    }
    if link.is_some() && draft.promote_secondaries {
        tell(
            Code::OwnLink,
            " promote_secondaries is automatically set for vmacs - ignoring",
            ctx,
        );
    }
    let Some(link) = link else {
        if draft.vmac_xmit_base {
            tell(Code::OwnLink, " vmac_xmit_base is only valid with a vmac", ctx);
        }
        return None;
    };
    let named = link.name.is_some();
    let instance = draft.name.clone();
    let prefix = global.vmac_prefix.as_deref().unwrap_or("vrrp");
    let link_name = match link.name.clone() {
        Some(name) => name,
        None => generate(prefix, vrid, family, &instance, ctx)?,
    };
    if !link.ipvlan {
        return Some(Box::new(OwnLink::Vmac(Vmac {
            name: link_name,
            named,
            mac: link.mac.map(|mac| match mac {
                Mac::Whole(mac) => mac,
                Mac::Prefix([a, b, c, d, e]) => MacAddr([a, b, c, d, e, vrid.get()]),
            }),
            xmit_base: draft.vmac_xmit_base,
            netlink_notify: link.netlink_notify,
            link_group: link.group,
        })));
    }
    match link.address {
        None if family == Family::Ipv4 => {
            let why = " IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state";
            if draft.source.is_none() {
                tell(Code::OwnLink, why, ctx);
                *fault = Some(ConfigFault::IpvlanWithoutAddress);
            }
        }
        Some((address, _)) if Family::of(address) != family => {
            let why =
                format!(" {family} ipvlan address family does not match instance. setting instance to fault state");
            tell(Code::OwnLink, &why, ctx);
            *fault = Some(ConfigFault::IpvlanFamily);
        }
        _ => {}
    }
    Some(Box::new(OwnLink::Ipvlan(Ipvlan {
        name: link_name,
        named,
        address: link.address,
        mode: link.mode,
        xmit_base: draft.vmac_xmit_base,
        link_group: link.group,
    })))
}

/// A name that nobody has: `PREFIX.VRID`, for IPv6 `PREFIX6.VRID`, then `PREFIX1.VRID`, `PREFIX2.VRID` and so on.
fn generate(
    prefix: &str,
    vrid: Vrid,
    family: Family,
    instance: &std::sync::Arc<str>,
    ctx: &mut Context<'_>,
) -> Option<IfName> {
    let six = (family == Family::Ipv6).then(|| format!("{prefix}6.{vrid}"));
    let numbered = (1..MAX_NAMES)
        .filter(|number| *number != 6 || family == Family::Ipv4)
        .map(|number| format!("{prefix}{number}.{vrid}"));
    for name in std::iter::once(format!("{prefix}.{vrid}")).chain(six).chain(numbered) {
        let name: IfName = name.parse().ok()?;
        if !ctx.is_link(&name) && !ctx.is_taken(&name) {
            ctx.claim_link(&name, instance);
            return Some(name);
        }
    }
    None
}

/// The link that carries an address, if it is not its interface itself.
#[expect(clippy::too_many_arguments, reason = "everything that decides it")]
pub(super) fn of_address(
    address: &mut VirtualAddress,
    draft: &Draft,
    own: Option<&OwnLink>,
    family: Family,
    vrid: Vrid,
    place: Place,
    global: &Global,
    ctx: &mut Context<'_>,
) {
    let own_name = match own {
        Some(OwnLink::Vmac(vmac)) => Some(&vmac.name),
        Some(OwnLink::Ipvlan(ipvlan)) => Some(&ipvlan.name),
        None => None,
    };
    let on_own_interface = draft.interface.as_ref() == Some(&address.interface) || own_name == Some(&address.interface);
    let matches = Family::of(address.address) == family;
    let (name, ip, shown) = (&draft.name, address.address, address.shown());
    if let Some(link) = own_name.filter(|_| on_own_interface && (matches || matches!(own, Some(OwnLink::Ipvlan(_))))) {
        if address.use_vmac {
            let message = format!("({name}) use_vmac specified for VIP/eVIP {shown} and vrrp instance");
            general(ctx, place, Code::OwnLink, message);
            address.use_vmac = false;
        }
        if let Some(base) = &draft.interface {
            address.interface = base.clone();
        }
        address.own_link = Some(link.clone());
        return;
    }
    // `use_vmac_addr` is for addresses on other interfaces or of the other family.
    let by_instance = draft.use_vmac_addr && !(on_own_interface && matches);
    if address.use_vmac && by_instance {
        let message = format!("({name}) use_vmac_addr specified and use_vmac specified for VIP/eVIP {shown}");
        general(ctx, place, Code::OwnLink, message);
    }
    if !address.use_vmac && !by_instance {
        return;
    }
    let prefix = global
        .vmac_addr_prefix
        .as_deref()
        .or(global.vmac_prefix.as_deref())
        .unwrap_or("vrrp");
    address.own_link = ctx.address_link(name, &address.interface, Family::of(ip)).or_else(|| {
        let link = generate(prefix, vrid, Family::of(ip), name, ctx)?;
        ctx.set_address_link(name, &address.interface, Family::of(ip), &link);
        Some(link)
    });
}
