//! What is to become of each backup.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Backup;

/// A decision about one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The backup.
    pub backup: Backup,
    /// Why it stays, or why it goes.
    pub reason: Reason,
}

/// The reason of a decision. Its `Display` is the reason in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Goes: nothing is to be kept.
    NoRetention,
    /// Goes: no rule holds it.
    Released {
        /// The rule about the newest, where there is one.
        last: Option<NonZeroU32>,
        /// The rule about the age, where there is one.
        within: Option<Duration>,
    },
    /// Stays: it is one of the newest.
    Newest {
        /// 1 is the newest.
        rank: u32,
        /// How many stay.
        last: NonZeroU32,
    },
    /// Stays: it is younger than the rule's span.
    Young(Duration),
    /// Stays: it is dated in the future, so its age is not known.
    Future,
    /// Stays: it has no date, so its age is not known.
    NoDate,
}

impl Reason {
    /// Whether the backup goes.
    pub fn goes(self) -> bool {
        match self {
            Self::NoRetention | Self::Released { .. } => true,
            Self::Newest { .. } | Self::Young(_) | Self::Future | Self::NoDate => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRetention => f.write_str("nothing is to be kept"),
            Self::Released { last, within } => {
                let last = last.map(|last| format!("not among the newest {last}"));
                let within = within.map(|span| format!("older than {}", words(span)));
                let rules: Vec<String> = last.into_iter().chain(within).collect();
                f.write_str(&rules.join(", "))
            }
            Self::Newest { rank: 1, last } => write!(f, "the newest of {last} that stay"),
            Self::Newest { rank, last } => write!(f, "number {rank} of the newest {last} that stay"),
            Self::Young(span) => write!(f, "younger than {}", words(*span)),
            Self::Future => f.write_str("dated in the future"),
            Self::NoDate => f.write_str("without a date"),
        }
    }
}

/// A span as a person writes it, in days where that is exact.
fn words(span: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match (span.as_secs(), span.subsec_nanos()) {
        (seconds, 0) if seconds >= DAY && seconds % DAY == 0 => format!("{}d", seconds / DAY),
        _ => humantime::format_duration(span).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_well() {
        let last = NonZeroU32::new(3);
        let within = Some(Duration::from_secs(30 * 24 * 60 * 60));
        assert_eq!(Reason::Released { last, within }.to_string(), "not among the newest 3, older than 30d");
        assert_eq!(Reason::Young(Duration::from_secs(5400)).to_string(), "younger than 1h 30m");
        assert_eq!(
            Reason::Newest { rank: 2, last: last.unwrap() }.to_string(),
            "number 2 of the newest 3 that stay"
        );
    }
}
