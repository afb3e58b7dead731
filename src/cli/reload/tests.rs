use super::*;
use crate::config::Reload;

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

fn outlook(verdict: Prospect, from: StateName, steps: &[(u64, StateName, StateName, &str)]) -> Outlook {
    let step = |(after_ms, from, to, detail): &(u64, StateName, StateName, &str)| Step {
        after_ms: *after_ms,
        from: *from,
        to: *to,
        reason: String::new(),
        detail: (*detail).to_owned(),
    };
    Outlook {
        name: "VI_1".into(),
        verdict,
        from: Some(from),
        to: None,
        releases: false,
        tells_at_once: false,
        priority: Some(crate::model::Priority(90)),
        steps: steps.iter().map(step).collect(),
        waits_for: vec!["preempt_delay".to_owned()],
        assumes: Vec::new(),
    }
}

#[test]
fn every_prospect_is_told_in_words() {
    use StateName::{Backup, Fault, Init, Master};
    let mut told = outlook(Prospect::StaysMaster, Master, &[]);
    assert_eq!(meaning(&told), "it stays MASTER with priority 90");
    told.tells_at_once = true;
    assert!(meaning(&told).ends_with(", and tells the others at once"));
    let lost = (1_234, Master, Backup, "somebody is better");
    let told = outlook(Prospect::GivesUp, Master, &[lost]);
    assert_eq!(
        meaning(&told),
        "it gives mastership up after 1.234 s: somebody is better"
    );
    let steps = [
        (0, Master, Init, "another router"),
        (3_000, Backup, Master, "nobody is there"),
    ];
    let mut told = outlook(Prospect::Interrupts, Master, &steps);
    told.releases = true;
    assert_eq!(
        meaning(&told),
        "it gives mastership up, with priority 0: another router; it is MASTER again after 3 s: nobody is there"
    );
    let told = outlook(Prospect::TakesOver, Backup, &[(500, Backup, Master, "ours is higher")]);
    assert_eq!(
        meaning(&told),
        "it takes over after 0.500 s with priority 90: ours is higher"
    );
    let told = outlook(Prospect::GoesToFault, Backup, &[(0, Backup, Fault, "no link")]);
    assert_eq!(meaning(&told), "it goes to FAULT: no link");
    let plain = |verdict, from| meaning(&outlook(verdict, from, &[]));
    assert_eq!(plain(Prospect::StaysBackup, Backup), "it stays BACKUP with priority 90");
    assert_eq!(
        plain(Prospect::StaysBackup, Fault),
        "it is BACKUP with priority 90 then"
    );
    assert_eq!(
        plain(Prospect::Waits, Backup),
        "it waits with priority 90: preempt_delay"
    );
    assert_eq!(plain(Prospect::StaysInFault, Fault), "it stays in FAULT");
    assert!(plain(Prospect::Leaves, Master).starts_with("it is MASTER and leaves: its addresses are removed"));
    assert_eq!(plain(Prospect::Leaves, Backup), "it leaves, and nobody else notices");
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
