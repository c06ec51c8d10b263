//! The keys that each section knows. What is not in these tables is an error wherever it is written.

/// One key of a section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The key.
    pub(super) name: &'static str,
    /// A value as an operator would write it: the default, or an example where there is none.
    pub(super) example: &'static str,
}

const fn known(name: &'static str, example: &'static str) -> Known {
    Known { name, example }
}

/// The file itself.
pub(super) const FILE: &[Known] = &[
    known("daemon", "{ concurrency = 64 }"),
    known("safety", "{ max_wipes = 3 }"),
    known("schedules", "{ nightly = { cron = \"0 3 * * *\" } }"),
    known("defaults", "{ schedule = \"nightly\" }"),
    known("portals", "[{ name = \"acme\", url = \"https://acme.example.com\" }]"),
];

/// `[daemon]`.
pub(super) const DAEMON: &[Known] = &[
    known("concurrency", "64"),
    known("per_server", "4"),
    known("ledger", "\"sqlite:docsweep.db\""),
    known("ledger_retention", "\"400d\""),
    known("shutdown_grace", "\"30s\""),
    known("log", "{ format = \"auto\", level = \"info\" }"),
];

/// `[daemon.log]`.
pub(super) const LOG: &[Known] = &[known("format", "\"auto\""), known("level", "\"info\"")];

/// `[safety]`.
pub(super) const SAFETY: &[Known] = &[known("max_wipes", "3")];

/// `[schedules.NAME]`, and the table of an inline schedule.
pub(super) const SCHEDULE: &[Known] = &[
    known("cron", "\"0 3 * * *\""),
    known("timezone", "\"UTC\""),
    known("splay", "\"0s\""),
    known("catch_up", "\"0s\""),
];

/// `[[portals]]`.
pub(super) const PORTAL: &[Known] = &[
    known("name", "\"acme\""),
    known("url", "\"https://acme.example.com\""),
    known("server", "\"docspace.example.com\""),
    known(API_KEY, "{ file = \"/etc/docsweep/keys/acme\" }"),
    known("authorization", "\"bearer\""),
    known("schedule", "\"nightly\""),
    known("dump", "false"),
    known("keep", "{ last = 7 }"),
    known("method", "\"bulk\""),
    known("verify", "true"),
    known("enabled", "true"),
    known("connect_timeout", "\"10s\""),
    known("timeout", "\"100s\""),
    known("ca_file", "\"/etc/docsweep/ca.pem\""),
    known("proxy", "\"http://proxy.example.com:3128\""),
    known("retry", "{ max_attempts = 5 }"),
    known("allow_http", "false"),
];

/// `[defaults]`: what portals can inherit, so all but their name and address.
pub(super) fn defaults() -> &'static [Known] {
    PORTAL.get(2..).unwrap_or_default()
}

/// The table form of `keep`.
pub(super) const KEEP: &[Known] = &[known("last", "7"), known("within", "\"30d\"")];

/// `retry`.
pub(super) const RETRY: &[Known] = &[
    known("max_attempts", "5"),
    known("initial_backoff", "\"2s\""),
    known("max_backoff", "\"5m\""),
    known("deadline", "\"1h\""),
];

/// The table form of `api_key`.
pub(super) const KEY_SOURCE: &[Known] = &[
    known("file", "\"/etc/docsweep/keys/acme\""),
    known("env", "\"ACME_KEY\""),
    known("credential", "\"acme\""),
];

/// The one key whose value may be a secret.
pub(super) const API_KEY: &str = "api_key";

/// How messages call its table.
pub(super) const KEY_TITLE: &str = "`api_key`";

/// Every section: how messages call it, and its keys.
pub(super) fn sections() -> [(&'static str, &'static [Known]); 10] {
    [
        ("the file itself", FILE),
        ("[daemon]", DAEMON),
        ("[daemon.log]", LOG),
        ("[safety]", SAFETY),
        ("[schedules.NAME]", SCHEDULE),
        ("[[portals]]", PORTAL),
        ("[defaults]", defaults()),
        ("`keep`", KEEP),
        ("`retry`", RETRY),
        (KEY_TITLE, KEY_SOURCE),
    ]
}

/// The text among `candidates` that is most like `text`, if one is like enough to be meant.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // One slip in three characters: more, and the suggestion is a guess.
    let limit = (text.chars().count() / 3).max(1);
    if limit > 64 {
        return None;
    }
    let lower = text.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase().replace('-', "_")), candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_every_key() {
        let example = include_str!("../../config.example.toml");
        let written = |key: &str| {
            let assigned = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']);
                line.match_indices(key).any(|(at, _)| {
                    let before = line.get(..at).and_then(|before| before.chars().next_back());
                    let after = line.get(at + key.len()..).unwrap_or_default();
                    before.is_none_or(|c| matches!(c, ' ' | '{' | '[' | '.'))
                        && after.trim_start().starts_with(['=', ']', '.'])
                })
            };
            example.lines().any(assigned)
        };
        for (title, keys) in sections() {
            for key in keys {
                assert!(written(key.name), "config.example.toml lacks {} of {title}", key.name);
            }
        }
    }

    #[test]
    fn portals_inherit_all_but_their_name_and_address() {
        let own: Vec<_> = PORTAL.iter().take(2).map(|known| known.name).collect();
        assert_eq!(own, ["name", "url"]);
        assert_eq!(defaults().len() + 2, PORTAL.len());
    }

    #[test]
    fn a_slip_is_recognised_and_a_guess_is_not() {
        let near = |text| nearest(text, PORTAL.iter().map(|known| known.name));
        assert_eq!(near("tiemout"), Some("timeout"));
        assert_eq!(near("api-key"), Some("api_key"));
        assert_eq!(near("Connect_Timeout"), Some("connect_timeout"));
        assert_eq!(near("kep"), Some("keep"));
        assert_eq!(near("priority"), None);
        assert_eq!(near(&"x".repeat(100_000)), None);
    }
}
