//! Each lint speaks where it should and is silent where it should.

use crate::config::{
    Code, FileFacts, FileKind, Host, InterfaceFacts, LoadOptions, MemorySource, NoHost, Severity, load,
};
use crate::model::{IfName, ProgramUser};
use std::net::IpAddr;

/// A host whose eth0 has these addresses, and without /bin/missing; /bin/loose belongs to somebody else.
struct Here(&'static [(&'static str, u8)]);

impl Host for Here {
    fn node_name(&self) -> String {
        NoHost.node_name()
    }
    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        NoHost.interface(name)
    }
    fn addresses(&self, _name: &IfName) -> Vec<(IpAddr, u8)> {
        self.0
            .iter()
            .map(|(address, prefix)| (address.parse().unwrap(), *prefix))
            .collect()
    }
    fn user(&self, name: &str) -> Option<ProgramUser> {
        NoHost.user(name)
    }
    fn group(&self, name: &str) -> Option<u32> {
        NoHost.group(name)
    }
    fn file(&self, path: &str) -> Result<FileFacts, String> {
        match path {
            "/bin/missing" => Err("No such file or directory".into()),
            "/bin/loose" => Ok(FileFacts {
                kind: FileKind::File,
                mode: 0o777,
                uid: 1000,
                gid: 1000,
            }),
            _ => NoHost.file(path),
        }
    }
    fn link(&self, path: &str) -> Option<String> {
        NoHost.link(path)
    }
    fn variable(&self, name: &str) -> Option<String> {
        NoHost.variable(name)
    }
}

const SUBNET: &[(&str, u8)] = &[("192.0.2.1", 24), ("fe80::1", 64)];

/// Codes with their severities; only those that are asked for.
fn found(text: &str, host: &dyn Host, code: Code) -> Vec<(Severity, String)> {
    let options = LoadOptions {
        lint: true,
        ..LoadOptions::default()
    };
    let loaded = load("a.conf", &MemorySource::new("a.conf", text), host, &options);
    let of_code = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.code == code);
    of_code
        .map(|diagnostic| {
            let at = diagnostic
                .span
                .as_ref()
                .map(|span| span.line.to_string())
                .unwrap_or_default();
            (diagnostic.severity, at)
        })
        .collect()
}

/// The instance begins in line 6 of the text, `lines` in line 10.
fn config(script: &str, lines: &str) -> String {
    format!(
        "vrrp_script chk {{\nscript /bin/true\ninterval 2\n{script}\n}}\nvrrp_instance VI {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{ 192.0.2.100/24 }}\n{lines}\n}}\n"
    )
}

/// Script, lines of the instance, code, and the line that is pointed at, if it is to speak.
type Case = (&'static str, &'static str, Code, Option<(Severity, &'static str)>);

const CASES: &[Case] = &[
    (
        "weight 5",
        "priority 254\ntrack_script { chk }",
        Code::WeightWithoutEffect,
        Some((Severity::Warning, "11")),
    ),
    (
        "weight -5",
        "priority 255\ntrack_script { chk }",
        Code::WeightIgnored,
        Some((Severity::Error, "11")),
    ),
    (
        "weight -5",
        "priority 1\ntrack_script { chk }",
        Code::WeightWithoutEffect,
        Some((Severity::Warning, "11")),
    ),
    (
        "weight -5",
        "priority 254\ntrack_script { chk }",
        Code::WeightWithoutEffect,
        None,
    ),
    (
        "weight 5",
        "priority 250\ntrack_script { chk }",
        Code::WeightWithoutEffect,
        None,
    ),
    // With another weight that lowers it, the first one has room.
    (
        "weight 5",
        "priority 254\ntrack_script { chk }\ntrack_interface { eth1 weight -20 }",
        Code::WeightWithoutEffect,
        None,
    ),
    (
        "weight -5",
        "nopreempt\ntrack_script { chk }",
        Code::WeightWithNopreempt,
        Some((Severity::Warning, "11")),
    ),
    ("", "nopreempt\ntrack_script { chk }", Code::WeightWithNopreempt, None),
    ("weight -5", "track_script { chk }", Code::WeightWithNopreempt, None),
    (
        "",
        "state MASTER\nnopreempt\npriority 150",
        Code::Preemption,
        Some((Severity::Error, "11")),
    ),
    ("", "state BACKUP\nnopreempt\npriority 150", Code::Preemption, None),
    ("", "state BACKUP", Code::EqualPriorities, Some((Severity::Note, "6"))),
    ("", "state BACKUP\npriority 100", Code::EqualPriorities, None),
    (
        "",
        "strict_mode on\npriority 100",
        Code::StrictBlocksVips,
        Some((Severity::Warning, "10")),
    ),
    ("", "strict_mode on\nversion 3\naccept", Code::StrictBlocksVips, None),
    ("", "accept", Code::StrictBlocksVips, None),
    (
        "timeout 3",
        "track_script { chk }",
        Code::TimeoutAboveInterval,
        Some((Severity::Warning, "4")),
    ),
    ("timeout 2", "track_script { chk }", Code::TimeoutAboveInterval, None),
    (
        "",
        "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.1\n192.0.2.2\n}",
        Code::OwnAddressAmongPeers,
        Some((Severity::Warning, "12")),
    ),
    (
        "",
        "unicast_peer {\n192.0.2.1\n192.0.2.2\n}",
        Code::OwnAddressAmongPeers,
        Some((Severity::Warning, "11")),
    ),
    (
        "",
        "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}",
        Code::OwnAddressAmongPeers,
        None,
    ),
    (
        "",
        "unicast_src_ip 192.0.2.1",
        Code::NoPeers,
        Some((Severity::Warning, "10")),
    ),
    (
        "",
        "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}",
        Code::NoPeers,
        None,
    ),
    ("", "virtual_ipaddress {\n192.0.2.101\n}", Code::VipOutsideSubnets, None),
    (
        "",
        "virtual_ipaddress {\n198.51.100.1\n}",
        Code::VipOutsideSubnets,
        Some((Severity::Warning, "11")),
    ),
    (
        "",
        "virtual_ipaddress {\n198.51.100.1/24\n}",
        Code::VipOutsideSubnets,
        Some((Severity::Note, "11")),
    ),
    (
        "",
        "virtual_ipaddress {\n192.0.2.1\n}",
        Code::VipIsOwnAddress,
        Some((Severity::Warning, "11")),
    ),
    (
        "",
        "priority 255\nvirtual_ipaddress {\n192.0.2.1\n}",
        Code::VipIsOwnAddress,
        None,
    ),
    ("", "virtual_ipaddress {\n192.0.2.2\n}", Code::VipIsOwnAddress, None),
    (
        "",
        "advert_int 0.5",
        Code::AdvertInterval,
        Some((Severity::Error, "10")),
    ),
    ("", "advert_int 0.5\nversion 3", Code::AdvertInterval, None),
    (
        "",
        "authentication {\nauth_type PASS\nauth_pass 123456789\n}",
        Code::Authentication,
        Some((Severity::Error, "12")),
    ),
    (
        "",
        "authentication {\nauth_type PASS\nauth_pass 12345678\n}",
        Code::Authentication,
        None,
    ),
];

#[test]
fn every_lint_speaks_where_it_should_and_nowhere_else() {
    for (script, lines, code, expected) in CASES {
        let text = config(script, lines);
        let found = found(&text, &Here(SUBNET), *code);
        let expected: Vec<(Severity, String)> = expected
            .iter()
            .map(|(severity, at)| (*severity, (*at).to_owned()))
            .collect();
        assert_eq!(found, expected, "{code:?}\n{text}");
    }
}

#[test]
fn an_address_that_a_running_daemon_has_set_is_not_the_hosts_own() {
    let text = config("", "priority 100");
    let running = Here(&[("192.0.2.1", 24), ("192.0.2.100", 24)]);
    assert_eq!(found(&text, &running, Code::VipIsOwnAddress), []);
    let alone = Here(&[("192.0.2.100", 24)]);
    assert_eq!(found(&text, &alone, Code::VipIsOwnAddress).len(), 1);
}

#[test]
fn a_missing_or_insecure_check_is_told_loudly() {
    for (program, code) in [
        ("/bin/missing", Code::ScriptMissing),
        ("/bin/loose", Code::ScriptInsecure),
    ] {
        let text = config("", "track_script { chk }").replace("/bin/true", program);
        let found = found(&text, &Here(SUBNET), code);
        assert!(
            found.iter().any(|(severity, _)| *severity >= Severity::Warning),
            "{program}: {found:?}"
        );
    }
    let text = config("", "track_script { chk }");
    assert_eq!(found(&text, &Here(SUBNET), Code::ScriptMissing), []);
}

#[test]
fn two_instances_with_one_vrid_on_a_link_are_told() {
    let one = config("", "priority 100");
    let two = one.replace("VI", "VJ").replace("192.0.2.100", "192.0.2.101");
    let two = two.split_once("}\n").map(|(_, rest)| rest).unwrap().to_owned();
    assert!(!found(&format!("{one}{two}"), &NoHost, Code::DuplicateVrid).is_empty());
    let other = two.replace("virtual_router_id 1", "virtual_router_id 2");
    assert!(found(&format!("{one}{other}"), &NoHost, Code::DuplicateVrid).is_empty());
}

/// A start and `-t` say what keepalived says, and nothing more.
#[test]
fn lints_are_silent_unless_they_are_asked_for() {
    let text = config(
        "timeout 3\nweight 5",
        "nopreempt\nstrict_mode on\npriority 254\ntrack_script { chk }",
    );
    let source = MemorySource::new("a.conf", text);
    let loaded = load("a.conf", &source, &Here(SUBNET), &LoadOptions::default());
    let ours = [
        Code::WeightWithoutEffect,
        Code::WeightWithNopreempt,
        Code::StrictBlocksVips,
        Code::TimeoutAboveInterval,
    ];
    assert!(
        loaded
            .diagnostics
            .iter()
            .all(|diagnostic| !ours.contains(&diagnostic.code))
    );
}
