//! Who a check runs as, and with which environment, umask, directory and descriptors: the same as with keepalived.

use crate::check::{Check, Twin};
use crate::jobs::Outcome;
use crate::seed::needs;
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use vrrpd::lab::NodeId;
use vrrpd::model::Micros;

/// Writes into its own file what a program sees of itself.
const SCRIPT: &str =
    r#"/bin/sh -c 'exec > /tmp/seen/it; id; umask; pwd; env | sort; readlink /proc/self/fd/0 /proc/self/fd/2'"#;

pub(crate) fn checks() -> Vec<Check> {
    let job = |speaker: &str| format!("script-user {speaker}");
    vec![Check {
        name: "script-user".into(),
        jobs: vec![job("k"), job("v")],
        judge,
        oracle: "what keepalived's check sees of itself; the owner of the file that it writes",
        twin: Twin {
            what: "the script's user is root".into(),
            sees: "owner",
            jobs: vec![job("k"), job("v spoiled")],
        },
        needs: needs(&[KEEPALIVED]),
    }]
}

fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let (theirs, ours) = (&seen[0].text, &seen[1].text);
    if theirs == ours && theirs.contains("(nobody)") {
        return Ok(());
    }
    let differs = theirs.lines().zip(ours.lines()).find(|(their, our)| their != our);
    Err(format!("    keepalived and vrrpd differ in {differs:?}"))
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [speaker, spoiled @ ..] = words else {
        return Err(io::Error::other("speaker, perhaps spoiled"));
    };
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let user = if spoiled.is_empty() { "nobody" } else { "root" };
    let vip = Ipv4Addr::new(192, 0, 2, 100);
    let nodes = vec![node("node1", &["192.0.2.1/24"])];
    let mut stage = Stage::new(nodes, vip.into(), Micros::from_secs(1))?;
    let directory = stage.lab.node(NodeId(0)).unwrap().tmp().join("seen");
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let configuration = format!(
        "global_defs {{\n router_id node\n enable_script_security\n}}\nvrrp_script chk {{\n script \"{SCRIPT}\"\n interval 1\n weight 10\n user {user}\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 100\n virtual_ipaddress {{\n {vip}\n }}\n track_script {{\n chk\n }}\n}}\n"
    );
    stage.start(0, speaker, &configuration)?;
    // The second result is not there before the first script has ended.
    stage.until("the check has succeeded", 10, |lab| {
        let lines = crate::stage::lines(lab, 0, "vrrp", vrrpd::model::Instant(0));
        lines.iter().any(|line| line.contains("VRRP_Script(chk) succeeded"))
    })?;
    let file = directory.join("it");
    let metadata = fs::metadata(&file)?;
    let text = fs::read_to_string(&file)?;
    Ok(format!(
        "owner {}:{} mode {:o}\n{text}",
        metadata.uid(),
        metadata.gid(),
        metadata.mode()
    ))
}
