//! What was measured beside what is to be reached, a line each.

/// One line.
pub(crate) struct Row {
    pub(crate) work: String,
    /// What a bare sender or the bare kernel calls need.
    pub(crate) bare: Option<f64>,
    pub(crate) keepalived: Option<f64>,
    pub(crate) vrrpd: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
}

/// What vrrpd is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this many times keepalived.
    TimesKeepalived(f64),
    /// At most this many times the bare calls.
    TimesBare(f64),
    /// At most this, in the row's unit.
    AtMost(f64),
    /// Bare plus this.
    OverBare(f64),
}

pub(crate) fn head() {
    println!(
        "{:<58} {:>9} {:>11} {:>9} {:<9} {:>7}  {:<22} verdict",
        "work", "bare", "keepalived", "vrrpd", "unit", "v/k", "target"
    );
}

impl Row {
    pub(crate) fn print(&self) {
        let ratio = match (self.vrrpd, self.keepalived) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
            _ => "-".to_owned(),
        };
        println!(
            "{:<58} {:>9} {:>11} {:>9} {:<9} {:>7}  {:<22} {}",
            self.work,
            number(self.bare),
            number(self.keepalived),
            number(self.vrrpd),
            self.unit,
            ratio,
            self.target.words(),
            self.verdict()
        );
    }

    fn verdict(&self) -> &'static str {
        let limit = match self.target {
            Target::TimesKeepalived(times) => self.keepalived.map(|value| value * times),
            Target::TimesBare(times) => self.bare.map(|value| value * times),
            Target::AtMost(limit) => Some(limit),
            Target::OverBare(more) => self.bare.map(|value| value + more),
        };
        match (self.vrrpd, limit) {
            (Some(value), Some(limit)) if value <= limit => "reached",
            (Some(_), Some(_)) => "NOT REACHED",
            _ => "NOT MEASURED",
        }
    }
}

impl Target {
    fn words(&self) -> String {
        match self {
            Self::TimesKeepalived(times) => format!("<= {times} x keepalived"),
            Self::TimesBare(times) => format!("<= {times} x bare"),
            Self::AtMost(limit) => format!("<= {limit}"),
            Self::OverBare(more) => format!("<= bare + {more}"),
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: Option<i64>) -> Option<f64> {
    micros.map(|micros| micros as f64 / 1000.0)
}
