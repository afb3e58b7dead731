//! The known differences between the keepalived of Debian and vrrpd: `differences.tsv`, the only place that excuses one.

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
