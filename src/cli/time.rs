//! Times as they are typed.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The beginning of a stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It began at this instant.
    At(Timestamp),
    /// It is this long.
    Ago(Duration),
}

impl Since {
    /// When it begins, if it ends at `now`.
    pub fn begin(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => {
                let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
                now.saturating_sub(span).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

/// An instant with an offset, or without one in UTC.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    parse(text)
        .ok_or_else(|| "write a time such as 2026-12-24T03:00:00Z, or a date such as 2026-12-24".to_owned())
}

/// An instant, or a duration back from now.
pub(super) fn since(text: &str) -> Result<Since, String> {
    let span = || humantime::parse_duration(text).ok().map(Since::Ago);
    parse(text).map(Since::At).or_else(span).ok_or_else(|| {
        "write a time such as 2026-12-24T03:00:00Z, a date such as 2026-12-24, or how long ago, such as 7d"
            .to_owned()
    })
}

fn parse(text: &str) -> Option<Timestamp> {
    let civil = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(civil)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_in_utc() {
        let midnight: Timestamp = "2026-12-24T00:00:00Z".parse().unwrap();
        for text in ["2026-12-24", "2026-12-24T00:00", "2026-12-24 00:00:00", "2026-12-24T02:00:00+02:00"] {
            assert_eq!(instant(text), Ok(midnight), "{text}");
            assert_eq!(since(text), Ok(Since::At(midnight)), "{text}");
        }
        for text in ["", "7d", "yesterday", "2026-13-01", "1735000000"] {
            assert!(instant(text).unwrap_err().contains("2026-12-24"), "{text}");
        }
    }

    #[test]
    fn since_is_also_a_way_back() {
        let now: Timestamp = "2026-12-24T00:00:00Z".parse().unwrap();
        let begin = |text: &str| since(text).map(|since| since.begin(now).to_string());
        assert_eq!(begin("7d"), Ok("2026-12-17T00:00:00Z".to_owned()));
        assert_eq!(begin("1h 30m"), Ok("2026-12-23T22:30:00Z".to_owned()));
        assert_eq!(begin("2026-12-01"), Ok("2026-12-01T00:00:00Z".to_owned()));
        assert!(begin("500000years").unwrap().starts_with("-009999"));
        for text in ["", "7", "-7d", "lately"] {
            assert!(since(text).unwrap_err().ends_with("such as 7d"), "{text}");
        }
    }
}
