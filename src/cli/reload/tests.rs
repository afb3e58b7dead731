use super::*;

fn change(keyword: &str, old: &[&str], new: &[&str]) -> Change {
    let words = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Change {
        block: "vrrp_instance".into(),
        keyword: keyword.into(),
        effect: Reload::Adjust,
        old: words(old),
        new: words(new),
    }
}

fn object(fate: Fate, changes: Vec<Change>) -> Object {
    Object {
        kind: Kind::Instance,
        name: "VI_1".into(),
        formerly: None,
        fate,
        changes,
    }
}

fn status(state: &str, priority: u8, master: Option<u8>) -> InstanceStatus {
    let master = master.map(|priority| json!({ "address": "192.0.2.1", "priority": priority }));
    let value = json!({
        "name": "VI_1", "interface": "eth0", "vrid": 51, "version": 2, "family": "ipv4", "state": state,
        "since": "2026-11-25T16:02:11Z", "reason": "startup",
        "priority": { "base": priority - 11, "effective": priority, "contributions": [
            { "tracker": "script", "name": "chk", "status": "up", "weight": 11, "adds": 11 } ] },
        "master": master, "advert_interval_ms": 1000, "master_down_interval_ms": 3566, "timer": null, "preempt": true,
        "vips": [], "peers": [], "counters": {}, "last_transition": null
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_backup_is_told_to_take_over_only_when_it_will() {
    let raised = |to: &str| object(Fate::Adjusted, vec![change("priority", &["100"], &[to])]);
    let backup = status("BACKUP", 111, Some(150));
    let told = |object: &Object| meaning(object, Some(&backup)).unwrap();
    assert_eq!(told(&raised("130")), "it stays BACKUP", "130 + 11 is less than 150");
    assert_eq!(
        told(&raised("145")),
        "its priority, 156, is higher than the master's: it takes over from 192.0.2.1 (150)"
    );
    let mut both = raised("145");
    both.changes.push(change("preempt", &["on"], &["off"]));
    assert!(told(&both).contains("with nopreempt it stays BACKUP of 192.0.2.1 (150)"));
}

#[test]
fn a_master_is_told_what_it_loses() {
    let master = status("MASTER", 111, None);
    let told = |object: &Object| meaning(object, Some(&master)).unwrap();
    let lowered = object(Fate::Adjusted, vec![change("priority", &["100"], &["50"])]);
    assert!(told(&lowered).starts_with("it stays MASTER with priority 61, until"));
    assert!(told(&object(Fate::Removed, Vec::new())).contains("priority 0 is sent"));
    assert!(told(&object(Fate::Restarted, Vec::new())).contains("begins anew as BACKUP"));
    assert_eq!(meaning(&object(Fate::Untouched, Vec::new()), Some(&master)), None);
}

#[test]
fn lists_show_what_came_and_what_left() {
    assert_eq!(value(&change("priority", &["100"], &["150"])), "100 -> 150");
    assert_eq!(value(&change("vrf", &[], &["red"])), "none -> red");
    assert_eq!(
        value(&change("virtual_ipaddress", &["a", "b"], &["b", "c"])),
        "- a, + c"
    );
    assert_eq!(
        value(&change("virtual_ipaddress", &["a", "b"], &["b", "a"])),
        "another order"
    );
}

#[test]
fn keywords_stand_in_columns_and_untouched_names_are_few() {
    let changes = [
        change("priority", &["100"], &["150"]),
        change("advert_int", &["1"], &["2"]),
    ];
    assert_eq!(
        table(&changes),
        "  priority    100 -> 150  adjust\n  advert_int  1 -> 2      adjust\n"
    );
    let many: Vec<Object> = (0..14)
        .map(|number| Object {
            name: format!("V{number}"),
            ..object(Fate::Untouched, Vec::new())
        })
        .collect();
    assert!(untouched(&many).starts_with("untouched: 14 instances (V0, V1, "));
    assert!(untouched(&many).ends_with("V11 and 2 more)\n"));
}
