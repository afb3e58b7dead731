//! The known differences between the keepalived of Debian and vrrpd: `differences.tsv`, the only place that excuses one.

use crate::election::After;
use crate::jobs::Outcome;

/// A row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    /// A case of the wire tests, `wire` = all of them, or `log`.
    pub(crate) place: &'static str,
    /// A field's name; for the log the beginning of the line.
    pub(crate) what: &'static str,
    pub(crate) keepalived: &'static str,
    pub(crate) vrrpd: &'static str,
}

/// All rows of these places.
pub(crate) fn of(places: &[&str]) -> Vec<Difference> {
    include_str!("differences.tsv")
        .lines()
        .skip(1)
        .map(|line| match line.split('\t').collect::<Vec<_>>().as_slice() {
            [place, what, keepalived, vrrpd, why] if !why.is_empty() => Difference {
                place,
                what,
                keepalived,
                vrrpd,
            },
            other => panic!("not five columns: {other:?}"),
        })
        .filter(|row| places.contains(&row.place))
        .collect()
}

/// A known and explained difference of an election: its place in `interop.tsv`, counted from 1, and the reason.
///
/// The cluster may be written `ORACLE>CLUSTER`; without that the oracle is the installed keepalived.
pub(crate) fn explained(oracle: &str, outcome: &Outcome) -> Option<(usize, &'static str)> {
    let words: Vec<&str> = outcome.job.split(' ').collect();
    let masters: Vec<&str> = After::all(outcome).iter().map(|after| after.masters).collect();
    let masters = masters.join(" ");
    let fits = |row: &[&str; 5]| {
        let [kind, script, cluster, seen, _] = row;
        let (judge, cluster) = cluster.split_once('>').unwrap_or(("k", cluster));
        let place = [kind, script, &cluster].into_iter().zip(words.iter().skip(1));
        words.len() == 4
            && oracle.starts_with(judge)
            && *seen == masters
            && place.into_iter().all(|(one, other)| *one == "*" || one == other)
    };
    let mut rows = explanations().enumerate();
    rows.find(|(_, row)| fits(row)).map(|(at, row)| (at + 1, row[4]))
}

/// Kind, script, cluster, masters, reason.
pub(crate) fn explanations() -> impl Iterator<Item = [&'static str; 5]> {
    include_str!("interop.tsv").lines().skip(1).map(|line| {
        let row = line.split('\t').collect::<Vec<_>>();
        row.try_into()
            .unwrap_or_else(|other| panic!("not five columns: {other:?}"))
    })
}
