//! Whole configurations.

use super::*;
use crate::model::*;
use std::path::Path;

fn seed(node: u8) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("conf/seed/node{node}.conf"));
    load_text(&std::fs::read_to_string(path).unwrap(), &NoHost)
}

#[test]
fn the_first_users_files_mean_what_they_say() {
    for node in 1..=3 {
        let loaded = seed(node);
        let model = loaded.model.clone().unwrap();
        assert_eq!(model.global.router_id, Some(format!("k8s-master-{node}")));
        let [script] = model.scripts.as_slice() else { panic!() };
        assert_eq!(script.argv[..2], ["/bin/bash", "-c"]);
        assert_eq!(
            script.argv[2],
            "if [[ $(netstat -nlp | grep 9443) ]]; then exit 0; else exit 1; fi"
        );
        assert_eq!(
            (script.interval, script.limit()),
            (Micros::from_secs(2), Micros::from_secs(2))
        );
        let [instance] = model.instances.as_slice() else {
            panic!()
        };
        assert_eq!(
            (instance.vrid.get(), instance.priority.get(), instance.version),
            (50, 100, Version::V2)
        );
        assert_eq!(
            instance.authentication,
            Authentication::Pass(Password::from_text("1111"))
        );
        assert_eq!(instance.vips[0].to_string(), "172.16.106.187/32");
        assert_eq!(
            instance.track_scripts,
            [TrackScript {
                script: ScriptId(0),
                weight: Weight::new(11, false).unwrap()
            }]
        );
        assert_eq!(
            instance.state,
            if node == 1 {
                WantedState::Master
            } else {
                WantedState::Backup
            }
        );
        // keepalived's own verdict of this file: scripts without enable_script_security.
        assert_eq!(loaded.test_status(), 6);
    }
}

const TWO: &str = "vrrp_instance A { interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1 }\n";

fn messages(text: &str) -> Vec<String> {
    load_text(text, &NoHost)
        .diagnostics
        .iter()
        .map(Diagnostic::render_keepalived)
        .collect()
}

#[test]
fn braces_may_stand_anywhere() {
    for text in [
        format!("{TWO}}}"),
        "vrrp_instance A\n{\ninterface eth0 } "
            .replace('}', "virtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}"),
        "vrrp_instance A{ interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }}".to_owned(),
    ] {
        if text.contains("interface eth0 virtual") {
            continue;
        }
        let loaded = load_text(&text, &NoHost);
        assert_eq!(loaded.diagnostics, [], "{text}");
        assert_eq!(loaded.model.unwrap().instances[0].vips[0].to_string(), "10.0.0.1/32");
    }
}

#[test]
fn a_mistyped_keyword_is_one_error_with_a_hint() {
    let loaded = load_text(&format!("{TWO} prioritty 5\n}}"), &NoHost);
    let [only] = loaded.diagnostics.as_slice() else {
        panic!("{:?}", loaded.diagnostics)
    };
    assert_eq!(only.render_keepalived(), "(text: Line 4) Unknown keyword 'prioritty'");
    assert_eq!(only.hint.as_deref(), Some("did you mean `priority`?"));
    assert_eq!(only.span.as_ref().map(|p| (p.line, p.column)), Some((4, 2)));
    assert_eq!(loaded.test_status(), 5);
}

/// Checked with Debian's keepalived: a cluster in which one router understood more of the file would have two masters.
#[test]
fn the_lines_of_an_unknown_block_are_those_of_the_block_around_and_its_brace_ends_it() {
    let text = format!("{TWO} nonsense {{\n priority 77\n }}\n advert_int 3\n}}");
    let loaded = load_text(&text, &NoHost);
    let lines: Vec<_> = loaded.diagnostics.iter().map(Diagnostic::render_keepalived).collect();
    assert_eq!(
        lines,
        [
            "(text: Line 4) Unknown keyword 'nonsense'",
            "(text: Line 4) Unexpected '{' - ignoring",
            "(text: Line 7) Unknown keyword 'advert_int'",
            "(text: Line 8) Unknown keyword '}'",
        ]
    );
    // A reader is shown one mistake: the others follow from it.
    let root = loaded.diagnostics[0].span.clone();
    assert!(loaded.diagnostics[1..].iter().all(|d| d.follows == root));
    let instance = &loaded.model.unwrap().instances[0];
    assert_eq!(instance.priority, Priority(77));
    assert_eq!(instance.advert_interval.duration().as_millis(), 1000);
}

#[test]
fn a_missing_brace_is_told_where_the_indentation_shows_it() {
    let text = "vrrp_instance A {\n  interface eth0\n  virtual_router_id 1\n  authentication {\n    auth_type PASS\n    auth_pass x\n  \
                virtual_ipaddress {\n    10.0.0.1\n  }\n}\n";
    let loaded = load_text(text, &NoHost);
    let brace = loaded
        .diagnostics
        .iter()
        .find(|d| d.code == Code::MissingBrace)
        .unwrap();
    assert_eq!(brace.span.as_ref().map(|span| (span.line, span.column)), Some((4, 3)));
    assert_eq!(brace.related[0].span.line, 7);
    // keepalived tells no line, so neither does `-t`.
    assert_eq!(brace.render_keepalived(), "There are 1 missing '}'s or extra '{'s");
}

#[test]
fn missing_and_extra_braces_are_told() {
    assert_eq!(messages(TWO), ["There are 1 missing '}'s or extra '{'s"]);
    let extra = ["(text: Line 5) Extra '}' found", "(text: Line 5) Unknown keyword '}'"];
    assert_eq!(messages(&format!("{TWO}}}\n}}")), extra);
}

#[test]
fn definitions_conditions_and_sequences_make_instances() {
    let text = "$IF=eth7\n$BLK=vrrp_instance V$n { \\\ninterface $IF\\\nvirtual_router_id $n\\\nvirtual_ipaddress { 10.0.0.${n} }\\\n}\n~SEQ(n,1,3) $BLK\n@other vrrp_instance X {\n";
    let text = text.replace("V$n {", "V${n} {");
    let loaded = load_text(&text, &NoHost);
    assert_eq!(loaded.diagnostics, []);
    let model = loaded.model.unwrap();
    let names: Vec<_> = model.instances.iter().map(|i| (&*i.name, i.vrid.get())).collect();
    assert_eq!(names, [("V1", 1), ("V2", 2), ("V3", 3)]);
    assert_eq!(model.instances[2].interface.as_ref().unwrap().as_str(), "eth7");
}

#[test]
fn includes_are_read_in_place_and_do_not_run_away() {
    let source = MemorySource::new("d/a.conf", "include b.conf\ninclude nope.conf\n")
        .with("d/b.conf", format!("{TWO}}}\ninclude a.conf\n"));
    let loaded = load("d/a.conf", &source, &NoHost, &LoadOptions::default());
    assert!(loaded.diagnostics.iter().any(|d| d.message.contains("include itself")));
    assert!(
        loaded
            .diagnostics
            .iter()
            .any(|d| d.message == "Config files missing 'nope.conf'.")
    );
    assert!(loaded.model.is_some());
}

#[test]
fn a_missing_file_is_status_4_for_a_test_and_6_for_a_start() {
    let loaded = load("nowhere", &MemorySource::default(), &NoHost, &LoadOptions::default());
    assert_eq!((loaded.test_status(), loaded.run_status()), (4, Some(6)));
}

#[test]
fn timer_expired_backup_without_a_priority_is_254() {
    let text = "vrrp_instance A { interface eth0\n virtual_router_id 1\n nopreempt\n timer_expired_backup\n virtual_ipaddress { 10.0.0.1 }\n}\n";
    let model = load_text(text, &NoHost).model.unwrap();
    assert_eq!(model.instances[0].timer_expired_backup, Some(Priority(254)));
}

#[test]
fn every_problem_is_found_in_one_run() {
    let text =
        "vrrp_instance A {\n state FOO\n virtual_router_id 300\n priority 0\n advert_int x\n}\nvrrp_script s {\n}\n";
    let found = messages(text);
    for expected in [
        "(text: Line 2) (A) unknown state 'FOO', defaulting to BACKUP",
        "(text: Line 3) (A): VRID '300' not valid - must be between 1 & 255",
        "(text: Line 4) (A) Priority not valid! must be between 1 & 255. Using default 100",
        "(text: Line 5) (A) Advert interval (x) not valid! Must be > 0 - ignoring",
        "(text: Line 8) No script set for vrrp_script s - removing",
        "(A) the virtual router id must be set",
    ] {
        assert!(found.iter().any(|m| m == expected), "{expected} is not in {found:#?}");
    }
}

/// A host on which nothing exists.
struct BareHost;

impl Host for BareHost {
    fn node_name(&self) -> String {
        NoHost.node_name()
    }

    fn interface(&self, _name: &IfName) -> Option<InterfaceFacts> {
        None
    }

    fn user(&self, name: &str) -> Option<ProgramUser> {
        NoHost.user(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        NoHost.group(name)
    }

    fn file(&self, _path: &str) -> Result<FileFacts, String> {
        Err("No such file or directory".into())
    }

    fn link(&self, _path: &str) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        NoHost.variable(name)
    }
}

#[test]
fn interfaces_that_may_come_later_are_told_once_each_and_harm_nothing_however_many_they_are() {
    let block =
        "vrrp_instance V${n} { \\\ninterface eth${n}\\\nvirtual_router_id 1\\\nvirtual_ipaddress { 10.0.0.1 }\\\n}";
    let of = |count: u32| {
        let again = block
            .replace("virtual_router_id 1", "virtual_router_id 2")
            .replace("${n}", "1")
            .replace("V1", "X")
            .replace("\\\n", "\n");
        let text = format!("global_defs {{\ndynamic_interfaces\n}}\n$B={block}\n~SEQ(n,1,{count}) $B\n{again}\n");
        load_text(&text, &BareHost)
    };
    let few = of(3);
    let codes: Vec<_> = few.diagnostics.iter().map(|d| (d.code, d.severity)).collect();
    assert_eq!(codes, [(Code::MissingInterface, Severity::Note); 3]);
    assert_eq!(
        few.diagnostics[0].message,
        "Configuration specifies interface eth1 which doesn't currently exist - will use if created"
    );
    // More than there is room for in the list: what is lost counts as what it was.
    let many = of(12_000);
    assert_eq!((many.test_status(), many.model.unwrap().instances.len()), (0, 12_001));
}

#[test]
fn toml_refuses_a_missing_program_where_keepalived_goes_on_without_it() {
    let text = "[script.chk]\nscript = \"/nowhere/check\"\n[instance.A]\ninterface = \"eth0\"\nvirtual_router_id = 1\nvirtual_ipaddress = [\"10.0.0.1\"]\ntrack_script = [\"chk\"]\n";
    let read = |text: &str, path: &str| {
        let source = MemorySource::new(path, format!("{text}[global]\ndynamic_interfaces = true\n"));
        load(path, &source, &BareHost, &LoadOptions::default())
    };
    let strict = read(text, "a.toml");
    let told: Vec<_> = strict
        .diagnostics
        .iter()
        .filter(|d| d.code == Code::ScriptMissing)
        .collect();
    assert!(
        strict.model.is_none() && strict.run_status() == Some(2),
        "{:?}",
        strict.diagnostics
    );
    assert!(
        told.iter()
            .any(|d| d.severity == Severity::Error && d.message.contains("/nowhere/check")),
        "{told:?}"
    );
    let lenient = read(&format!("defaults = \"keepalived\"\n{text}"), "a.toml");
    let model = lenient.model.unwrap();
    assert!(model.instances[0].track_scripts.is_empty());
    assert!(
        lenient
            .diagnostics
            .iter()
            .all(|d| d.severity != Severity::Error || d.class == Some(Class::General))
    );
}

/// The wordings and the verdict were seen from Debian's keepalived.
#[test]
fn virtual_servers_are_judged_as_keepalived_judges_them() {
    let text = "virtual_server_group EMPTY {\n}\n\
                virtual_server 10.0.0.1 80 {\n lvs_sched rr\n protocol TCP\n quorum 3\n lb_kind DR\n real_server 10.0.1.1 81 {\n weight 2\n }\n}\n\
                virtual_server fwmark 7 {\n protocol UDP\n lvs_sched rr\n real_server 10.0.1.1 {\n }\n}\n\
                virtual_server 10.0.0.2 80 {\n lvs_sched rr\n protocol TCP\n}\n";
    let loaded = load_text(text, &NoHost);
    let told = loaded.diagnostics.iter().filter(|d| d.class.is_some());
    let lines: Vec<_> = told.map(Diagnostic::render_keepalived).collect();
    assert_eq!(
        lines,
        [
            "(text: Line 2) virtual server group EMPTY has no entries - removing",
            "(text: Line 21) Virtual server [10.0.0.2]:tcp:80 has no real servers - ignoring",
            "Warning - quorum 3 for [10.0.0.1]:tcp:80 exceeds total weight of real servers 2, reducing quorum to 2",
            "WARNING - virtual server [10.0.0.1]:tcp:80 and real server [10.0.1.1]:tcp:81 ports don't match - resetting",
            "Warning: Virtual server FWM 7: protocol specified for fwmark - protocol will be ignored",
            "Virtual server FWM 7: no forwarding method set, setting default NAT",
        ]
    );
    assert_eq!(loaded.test_status(), 5);
    assert!(loaded.model.is_some());
}

/// Seen from Debian's keepalived.
#[test]
fn a_group_that_tracks_the_interface_of_a_member_is_told() {
    let text = "vrrp_sync_group SG { group { A B }\n sync_group_tracking_weight\n track_interface { eth1 weight 3 } }\n\
                vrrp_instance A { interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.3.0.1 } }\n\
                vrrp_instance B { interface eth1\n virtual_router_id 2\n virtual_ipaddress { 10.3.0.2 } }\n";
    let told = "(B) track_interface eth1 is configured on VRRP instance and sync group. \
                Remove vrrp instance or sync group config";
    assert_eq!(messages(text), [told]);
}

/// Found by fuzzing: the group stayed, and was gone when the model had been written and read again.
#[test]
fn a_track_group_that_no_instance_is_left_in_is_removed_with_what_followed_it() {
    let groups = "track_group E {\ngroup {\nZ\n}\n}\ntrack_group T {\ngroup {\nA\n}\n}\n";
    let fixed = "static_ipaddress {\n10.1.1.1/24 dev eth0 track_group E\n10.1.1.2/24 dev eth0 track_group T\n}\n";
    let loaded = load_text(&format!("{TWO}}}\n{groups}{fixed}"), &NoHost);
    let told = |text: &str| loaded.diagnostics.iter().any(|d| d.message == text);
    assert!(
        told("Static track group E init fails - removing"),
        "{:?}",
        loaded.diagnostics
    );
    let model = loaded.model.unwrap();
    let names: Vec<_> = model.track_groups.iter().map(|group| &*group.name).collect();
    assert_eq!(names, ["T"]);
    let followed: Vec<_> = model.static_addresses.iter().map(|fixed| fixed.track_group).collect();
    assert_eq!(followed, [None, Some(TrackGroupId(0))]);
    assert_eq!(load_text(&print_keepalived(&model), &NoHost).model, Some(model));
}

#[test]
fn what_a_whole_block_shows_is_told_at_its_keyword_where_somebody_looks() {
    let text = format!("{TWO} strict_mode on\n unicast_peer {{\n 192.0.2.9\n }}\n}}");
    let read = |options: LoadOptions| {
        let loaded = load("a.conf", &MemorySource::new("a.conf", &text), &NoHost, &options);
        let about = |one: &&Diagnostic| one.code == Code::StrictMode;
        let found = loaded.diagnostics.iter().find(about).cloned();
        let found = found.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        (
            found.span.clone().unwrap().line,
            found.keepalived_lines().collect::<Vec<_>>(),
        )
    };
    let line = |word: &str| u32::try_from(text.lines().position(|line| line.contains(word)).unwrap()).unwrap() + 1;
    let (exact, words) = read(LoadOptions {
        exact: true,
        ..LoadOptions::default()
    });
    assert_eq!(exact, line("unicast_peer"));
    // The log says the same in both cases.
    let block = (line("vrrp_instance"), words);
    assert_eq!(read(LoadOptions::default()), block);
}

/// A host on which no user is there for scripts.
struct NoScriptUser;

impl Host for NoScriptUser {
    fn node_name(&self) -> String {
        NoHost.node_name()
    }
    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        NoHost.interface(name)
    }
    fn user(&self, name: &str) -> Option<ProgramUser> {
        NoHost.user(name).filter(|_| name != "keepalived_script")
    }
    fn group(&self, name: &str) -> Option<u32> {
        NoHost.group(name)
    }
    fn file(&self, path: &str) -> Result<FileFacts, String> {
        NoHost.file(path)
    }
    fn link(&self, path: &str) -> Option<String> {
        NoHost.link(path)
    }
    fn variable(&self, name: &str) -> Option<String> {
        NoHost.variable(name)
    }
}

/// Corpus: maintainer/start_shut_script.conf.
#[test]
fn the_first_script_that_names_no_user_decides_before_security_is_asked_for() {
    let instance = format!("{TWO} notify_master /bin/m\n}}");
    let runs = |globals: &str| {
        let text = format!("global_defs {{\n{globals}\n}}\n{instance}");
        let model = load_text(&text, &NoScriptUser).model.unwrap();
        let notify = model.instances[0].notify.as_ref().map(|notify| notify.master.is_some());
        let account = |program: &Option<Program>| {
            program
                .as_ref()
                .and_then(|p| p.account.as_ref().map(|a| a.user.to_string()))
        };
        (notify.unwrap_or(false), account(&model.global.startup.program))
    };
    let root = Some("root".to_owned());
    assert_eq!(
        runs("startup_script /bin/s\nenable_script_security"),
        (true, root.clone())
    );
    assert_eq!(runs("enable_script_security\nstartup_script /bin/s"), (false, None));
    assert_eq!(
        runs("startup_script /bin/s u\nenable_script_security"),
        (false, Some("u".into()))
    );
    assert_eq!(
        runs("startup_script /bin/s\nscript_user u\nenable_script_security"),
        (true, root)
    );
}
