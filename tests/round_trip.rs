//! A configuration in the other language means the same: keepalived.conf → TOML → keepalived.conf, for the whole collection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::fs;
use std::path::{Path, PathBuf};
use vrrpd::config::{
    Code, Language, LoadOptions, Loaded, MemorySource, NoHost, Severity, Source, convert, keywords, load,
    print_keepalived, print_toml,
};
use vrrpd::model::Model;
use vrrpd::system::host::RealSource;

fn options() -> LoadOptions {
    LoadOptions {
        config_id: Some("high".into()),
        ..LoadOptions::default()
    }
}

/// The text in another language and what the original means.
fn other(path: &str, text: &str, to: Language) -> (String, Loaded) {
    let source = MemorySource::new(path, text);
    convert(path, &source, &NoHost, &options(), to)
}

/// Where two models differ, for a person.
fn difference(one: &Model, other: &Model) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let lines = one.lines().zip(other.lines()).enumerate();
    let differing: Vec<String> = lines
        .filter(|(_, (a, b))| a != b)
        .take(4)
        .map(|(n, (a, b))| format!("{n}: {a} | {b}"))
        .collect();
    differing.join("\n")
}

/// What is lost on the way, if anything; false for a file that cannot run at all.
fn lost(path: &str, source: &dyn Source) -> Result<bool, String> {
    let (toml, first) = convert(path, source, &NoHost, &options(), Language::Toml);
    let Some(original) = first.model else { return Ok(false) };
    let same = |path: &str, text: &str, what: &str| {
        let loaded = load(path, &MemorySource::new(path, text), &NoHost, &options());
        match loaded.model {
            Some(model) if model == original => Ok(()),
            Some(model) => Err(format!("{what}: {}\n{text}", difference(&original, &model))),
            None => {
                let problems: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
                Err(format!("{what} is refused: {}\n{text}", problems.join("\n")))
            }
        }
    };
    same("x.toml", &toml, "TOML")?;
    same("x.toml", &print_toml(&original), "TOML printed from the model")?;
    same(
        "x.conf",
        &print_keepalived(&original),
        "keepalived.conf printed from the model",
    )?;
    let (conf, _) = other("x.toml", &toml, Language::Keepalived);
    same("x.conf", &conf, "keepalived.conf made of TOML")?;
    let (again, _) = other("x.conf", &conf, Language::Toml);
    let (once_more, _) = other("x.toml", &again, Language::Toml);
    if again == once_more {
        Ok(true)
    } else {
        Err(format!("TOML does not stay the same:\n{again}\n{once_more}"))
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/corpus")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[test]
fn every_file_of_the_collection_keeps_its_meaning_in_toml() {
    let mut failed = Vec::new();
    for folder in ["samples", "maintainer", "wild"] {
        let (mut equal, mut nothing) = (0, 0);
        let all = files(folder);
        for path in &all {
            match lost(&path.to_string_lossy(), &RealSource) {
                Ok(true) => equal += 1,
                Ok(false) => nothing += 1,
                Err(why) => failed.push(format!("{}: {why}", path.display())),
            }
        }
        println!(
            "{folder}: {} files, {equal} keep their meaning, {nothing} cannot run at all",
            all.len()
        );
    }
    for failure in failed.iter() {
        println!("{}\n", failure.lines().take(12).collect::<Vec<_>>().join("\n"));
    }
    assert!(failed.is_empty(), "{} files lose something", failed.len());
}

/// What every block needs to be kept.
const NEEDED: [(&str, &str, &str); 7] = [
    ("global_defs", "global_defs", ""),
    ("vrrp_script", "vrrp_script name", "script /bin/true"),
    ("track_file", "track_file name", "file /run/vrrpd/file"),
    ("vrrp_track_process", "vrrp_track_process name", "process haproxy"),
    ("bfd_instance", "bfd_instance name", "neighbor_ip 192.0.2.9"),
    (
        "vrrp_instance",
        "vrrp_instance VI_1",
        "interface eth0\nvirtual_router_id 10\nvirtual_ipaddress {\n192.0.2.100/24\n}",
    ),
    ("vrrp_sync_group", "vrrp_sync_group name", "group {\nVI_1\n}"),
];

/// A configuration with these lines in these blocks.
fn text_of(lines: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (path, header, needed) in NEEDED {
        let own = lines
            .iter()
            .filter(|(block, _)| *block == path)
            .map(|(_, line)| line.as_str());
        let own: Vec<&str> = std::iter::once(needed).chain(own).collect();
        text.push_str(&format!("{header} {{\n{}\n}}\n", own.join("\n")));
    }
    for (_, line) in lines.iter().filter(|(block, _)| *block == "(top)") {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Every line that the table gives an example of.
fn all_lines() -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for block in keywords() {
        for keyword in block.keywords.iter().filter(|keyword| keyword.toml_example.is_some()) {
            // These name a configuration of their own.
            if NEEDED
                .iter()
                .any(|(path, _, needed)| *path == block.path && needed.starts_with(keyword.name))
            {
                continue;
            }
            let all = std::iter::once(&keyword.example).chain(&keyword.more);
            lines.extend(all.map(|line| (block.path, line.replace(" { ", " {\n").replace(" }", "\n}"))));
        }
    }
    lines
}

#[test]
fn every_keyword_keeps_its_meaning_in_toml() {
    let (mut failed, lines) = (Vec::new(), all_lines());
    assert!(lines.len() > 400, "{}", lines.len());
    let mut kept = 0;
    for line in lines {
        let text = text_of(std::slice::from_ref(&line));
        match lost("g.conf", &MemorySource::new("g.conf", &text)) {
            Ok(true) => kept += 1,
            Ok(false) => {}
            Err(why) => failed.push(format!("{line:?}: {why}")),
        }
    }
    println!("{kept} lines keep their meaning");
    assert!(
        failed.is_empty() && kept > 400,
        "{kept} kept, {} lost: {}",
        failed.len(),
        failed.join("\n\n")
    );
}

/// Hundreds of configurations of random lines; the seed is the number of the configuration.
#[test]
fn generated_configurations_keep_their_meaning_in_toml() {
    let lines = all_lines();
    let (mut failed, mut kept) = (Vec::new(), 0);
    for seed in 0..300 {
        let mut random = vrrpd::sim::Random::new(seed);
        let chosen: Vec<(&str, String)> = lines.iter().filter(|_| random.one_in(12)).cloned().collect();
        let text = text_of(&chosen);
        match lost("g.conf", &MemorySource::new("g.conf", &text)) {
            Ok(true) => kept += 1,
            Ok(false) => {}
            Err(why) => failed.push(format!("seed {seed}: {why}")),
        }
    }
    println!("{kept} generated configurations keep their meaning");
    assert!(
        failed.is_empty() && kept > 200,
        "{kept} kept, {} lost: {}",
        failed.len(),
        failed.join("\n\n")
    );
}

#[test]
fn comments_stay_where_they_have_a_place() {
    let conf = "! head\nglobal_defs {\n# who\nrouter_id a # behind\n}\nvrrp_instance VI {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n# first\n192.0.2.1/24 # one\n192.0.2.2/24\n}\n}\n# end\n";
    let (toml, _) = other("a.conf", conf, Language::Toml);
    for part in [
        "# head\n[global]\n# who\nrouter_id = \"a\"  # behind\n",
        "    # first\n    \"192.0.2.1/24\",  # one\n",
        "# end\n",
    ] {
        assert!(toml.contains(part), "{part}\n{toml}");
    }
    let (back, _) = other("a.toml", &toml, Language::Keepalived);
    for part in [
        "# head\nglobal_defs {\n    # who\n    router_id a  # behind\n",
        "        # first\n        192.0.2.1/24  # one\n",
        "# end\n",
    ] {
        assert!(back.contains(part), "{part}\n{back}");
    }
}

/// Found by fuzzing: a unicast keyword is all that such an instance has instead of an interface.
#[test]
fn an_instance_without_interface_and_peers_is_written_with_its_unicast_source() {
    let conf = "vrrp_instance A {\nunicast_src_ip 192.0.2.1\nvirtual_router_id 255\nvirtual_ipaddress {\n192.0.2.9/24 dev eth0\n}\n}\n";
    let read = |path: &str, text: &str| load(path, &MemorySource::new(path, text), &NoHost, &options()).model;
    let model = read("a.conf", conf).unwrap();
    assert_eq!(read("a.conf", &print_keepalived(&model)).as_ref(), Some(&model));
    assert_eq!(read("a.toml", &print_toml(&model)).as_ref(), Some(&model));
}

/// What nobody knows inside of LVS blocks is told once, and kept as it stands.
#[test]
fn unknown_blocks_of_virtual_servers_are_kept() {
    let conf = "virtual_server 10.0.0.90 80 {\n    lvs_sched rr\n    lvs_method NAT\n    protocol TCP\n    hash_thing {\n        key 5\n        inner {\n            x y\n        }\n    }\n    \
                odd_word 7\n    real_server 192.168.0.1 80 {\n        weight 1\n        OWN_CHECK {\n            retry 3\n        }\n    }\n}\n";
    let (back, loaded) = other("a.conf", conf, Language::Keepalived);
    assert_eq!(back, conf);
    let unknown: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|d| d.code == Code::UnknownKeyword)
        .collect();
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    let (toml, _) = other("a.conf", conf, Language::Toml);
    assert_eq!(other("a.toml", &toml, Language::Keepalived).0, conf);
}

/// A comment before a closing brace belongs to the block that ends there, one behind it too.
#[test]
fn comments_before_the_end_of_a_block_stay_in_it() {
    let conf = "global_defs {\n    router_id a\n    # globals end\n}\n\nvrrp_instance VI {\n    interface eth0\n    virtual_router_id 1\n    \
                # password\n    authentication {  # secret\n        auth_type PASS\n        auth_pass x\n        # changed in May\n    }\n    \
                virtual_ipaddress {\n        192.0.2.1/24\n        # 192.0.2.2/24 is free\n    }  # addresses\n    # VI ends\n}  # VI\n\n\
                # next\nvrrp_instance W {\n    interface eth1\n    virtual_router_id 2\n    virtual_ipaddress {\n        192.0.2.9/24\n    }\n    # W ends\n}\n";
    assert_eq!(other("a.conf", conf, Language::Keepalived).0, conf);
    let (toml, _) = other("a.conf", conf, Language::Toml);
    for part in [
        "router_id = \"a\"\n# globals end\n\n",
        "# password\n# secret\nauthentication.type = \"PASS\"\nauthentication.password = \"x\"\n# changed in May\n",
        "    # 192.0.2.2/24 is free\n]  # addresses\n",
        "# VI ends\n# VI\n\n# next\n[instance.W]\n",
        "# W ends\n",
    ] {
        assert!(toml.contains(part), "{part}\n{toml}");
    }
    let (back, _) = other("a.toml", &toml, Language::Keepalived);
    for part in [
        "    # globals end\n}\n",
        "        # 192.0.2.2/24 is free\n    }  # addresses\n",
        "    # VI ends\n    # VI\n}\n\n# next\nvrrp_instance W {\n",
        "    # W ends\n}\n",
    ] {
        assert!(back.contains(part), "{part}\n{back}");
    }
}

const TOML: &str =
    "[instance.VI]\ninterface = \"eth0\"\nvirtual_router_id = 1\nvirtual_ipaddress = [\"192.0.2.1/24\"]\n";

fn toml(text: &str) -> Loaded {
    load("a.toml", &MemorySource::new("a.toml", text), &NoHost, &options())
}

#[test]
fn what_toml_does_not_know_is_refused_with_its_place() {
    assert!(toml(TOML).model.is_some());
    for (line, words) in [
        ("prioritty = 100", "prioritty"),
        ("priority = \"100\"", "a number is expected"),
        ("priority = 300", "outside range"),
        ("advert_int = 1", "a length of time in quotes"),
        ("advert_int = \"1 fortnight\"", "no length of time"),
        ("nopreempt = true", "nopreempt"),
        ("preempt = \"no\"", "true or false"),
        ("track_script = \"chk\"", "a list"),
        ("notify_master = { user = \"a\" }", "a program is expected"),
        ("authentication = 1", "a table"),
        ("x = [", "TOML"),
    ] {
        let loaded = toml(&format!("{TOML}{line}\n"));
        let errors: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .collect();
        assert!(
            errors
                .iter()
                .any(|error| error.span.as_ref().is_some_and(|span| span.line >= 5)),
            "{line}: {errors:?}"
        );
        if words != "TOML" {
            let told = errors
                .iter()
                .any(|error| format!("{error}{:?}", error.detail).contains(words));
            assert!(told, "{line}: {errors:?}");
        }
        assert!(loaded.model.is_none() || line.contains("300"), "{line}");
    }
}

#[test]
fn toml_has_safer_defaults_unless_keepalived_is_asked_for() {
    let safer = toml(TOML).model.unwrap();
    let as_keepalived = toml(&format!("defaults = \"keepalived\"\n{TOML}")).model.unwrap();
    let of = |model: &Model| {
        (
            model.instances[0].higher_prio_send_advert,
            model.instances[0].announce.refresh.0,
            model.instances[0].listen_after_stall,
            model.global.heartbeat_guard,
        )
    };
    assert_eq!(of(&safer), (true, 60_000_000, true, true));
    assert_eq!(of(&as_keepalived), (false, 0, false, false));
    let written = toml(&format!(
        "{TOML}[global]\nvrrp_higher_prio_send_advert = false\nvrrp_garp_master_refresh = \"0s\"\n\
         vrrp_listen_after_stall = false\nheartbeat_guard = false\n"
    ));
    assert_eq!(of(&written.model.unwrap()), (false, 0, false, false));
}

#[test]
fn the_first_users_files_mean_the_same_in_both_languages() {
    for node in 1..=3 {
        let path = |end: &str| format!("{}/conf/seed/node{node}.{end}", env!("CARGO_MANIFEST_DIR"));
        let model = |end: &str| load(&path(end), &RealSource, &NoHost, &options()).model.unwrap();
        assert!(model("toml") == model("conf"), "node{node}");
    }
}
