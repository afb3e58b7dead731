//! Which keyword may stand where. The lowering of the keywords that this build acts on is in `lower`, one file a block.

mod known;

/// What follows a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Arguments on the same line.
    Line,
    /// A block of keywords.
    Block,
    /// A block of values.
    Values,
    /// A block of keepalived's LVS side, which vrrpd does not handle.
    Foreign,
}

/// The shape of a keyword in a block, if it is known there.
pub(super) fn shape(path: &str, key: &str) -> Option<Shape> {
    known::KNOWN
        .binary_search_by(|(block, keyword, _)| (*block, *keyword).cmp(&(path, key)))
        .ok()
        .and_then(|index| known::KNOWN.get(index))
        .map(|(_, _, shape)| *shape)
}

/// The known keyword of this block that is most like a mistyped one.
pub(super) fn nearest(path: &str, key: &str) -> Option<&'static str> {
    let limit = 1 + key.len() / 4;
    let of_block = known::KNOWN.iter().filter(|(block, ..)| *block == path);
    let best = of_block
        .map(|(_, keyword, _)| (distance(key, keyword), *keyword))
        .min()?;
    (best.0 <= limit).then_some(best.1)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let up = *cell;
            let cost = diagonal + usize::from(x != y);
            left = cost.min(up + 1).min(left + 1);
            *cell = left;
            diagonal = up;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_so_that_it_can_be_searched() {
        assert!(
            known::KNOWN
                .windows(2)
                .all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1))
        );
    }

    #[test]
    fn mistyped_words_find_their_keyword() {
        assert_eq!(nearest("vrrp_script", "raise"), Some("rise"));
        assert_eq!(nearest("vrrp_instance", "virtual_ipadress"), Some("virtual_ipaddress"));
        assert_eq!(nearest("vrrp_instance", "zzzzzz"), None);
    }
}
