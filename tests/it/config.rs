//! The configuration from outside: what is refused and in which words, and what comes out of what is accepted.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail a test")]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use docsweep::config::{Config, Daemon, FileInfo, LoadError, Log, Portal, Problems, Safety, Schedule};
use docsweep::cron::Timetable;
use docsweep::domain::{Authorization, DumpSetting, Method};
use proptest::prelude::*;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(kind);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Parses a fixture as a file that others can read, under its bare name, so that messages are the same everywhere.
fn parse(path: &Path, readable_by_others: bool) -> Result<Config, Problems> {
    let file = FileInfo { path: path.file_name().unwrap().into(), readable_by_others };
    Config::parse(&std::fs::read_to_string(path).unwrap(), &file)
}

#[test]
fn every_mistake_has_its_message() {
    for path in fixtures("bad") {
        let problems = parse(&path, true).map(|_| ()).expect_err(&path.display().to_string());
        let text = problems.to_string();
        assert!(!text.contains("hunter2"), "a secret is printed:\n{text}");
        assert!(!format!("{problems:?}").contains("hunter2"), "a secret is in Debug: {}", path.display());
        snapshot(path.file_stem().unwrap().to_str().unwrap(), &text);
    }
}

#[test]
fn what_is_accepted_is_shown_with_its_effective_values() {
    for path in fixtures("good") {
        let config = parse(&path, false).unwrap_or_else(|problems| panic!("{problems}"));
        let text = config.to_toml();
        let json: Vec<String> = config.views().map(|view| serde_json::to_string(&view).unwrap()).collect();
        assert!(
            !text.contains("hunter2") && !json.concat().contains("hunter2"),
            "a secret is shown:\n{text}"
        );
        assert!(!format!("{config:?}").contains("hunter2"), "a secret is in Debug: {}", path.display());
        snapshot(
            &format!("show-{}", path.file_stem().unwrap().to_str().unwrap()),
            &format!("{text}\n{}", json.join("\n")),
        );
    }
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "snapshots/config", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// What `show-config` prints is itself a configuration that comes to the same values.
#[test]
fn what_is_shown_can_be_read_again() {
    for path in fixtures("good") {
        let shown = parse(&path, false).unwrap().to_toml();
        let file = FileInfo { path: "shown.toml".into(), readable_by_others: false };
        let again = Config::parse(&shown, &file).unwrap_or_else(|problems| panic!("{shown}\n{problems}"));
        let same = shown.replace("(hidden)@", "hidden@");
        assert_eq!(again.to_toml().replace("(hidden)@", "hidden@"), same);
    }
}

fn example() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml")).unwrap()
}

fn parse_text(text: &str) -> Result<Config, Problems> {
    Config::parse(text, &FileInfo { path: "/etc/docsweep/config.toml".into(), readable_by_others: true })
}

/// Every field is named, so that a new one cannot be forgotten here.
#[test]
fn the_example_holds_the_programs_defaults() {
    let minimal = "[schedules.nightly]\ncron = \"0 3 * * *\"\n[[portals]]\nname = \"acme\"\n\
                   url = \"https://acme.example.com\"\napi_key = { file = \"/etc/docsweep/keys/acme\" }\n\
                   schedule = \"nightly\"\n";
    let example = parse_text(&example()).unwrap_or_else(|problems| panic!("{problems}"));
    let Config { daemon, safety, schedules, portals } = parse_text(minimal).unwrap();
    let Daemon { concurrency, per_server, ledger, ledger_retention, shutdown_grace, log } = daemon;
    let Log { format, level } = log;
    assert_eq!(example.daemon.concurrency, concurrency);
    assert_eq!(example.daemon.per_server, per_server);
    assert_eq!((&example.daemon.ledger, example.daemon.ledger_retention), (&ledger, ledger_retention));
    assert_eq!(example.daemon.shutdown_grace, shutdown_grace);
    assert_eq!(example.daemon.log.format, format);
    assert_eq!(example.daemon.log.level, level);
    let Safety { max_wipes } = safety;
    assert_eq!(example.safety.max_wipes, max_wipes);
    same_schedule(&example.schedules[0], &schedules[0]);
    assert_eq!((example.schedules.len(), example.portals.len()), (1, 1));
    same_portal(&example.portals[0], &portals[0]);
}

fn same_schedule(example: &Schedule, default: &Schedule) {
    let Schedule { label, timetable: Timetable { cron, zone }, splay, catch_up } = default;
    assert_eq!(&example.label, label);
    assert_eq!(example.timetable.cron.as_str(), cron.as_str());
    assert_eq!(example.timetable.zone.name(), zone.name());
    assert_eq!((&example.splay, &example.catch_up), (splay, catch_up));
}

fn same_portal(example: &Portal, default: &Portal) {
    let Portal {
        name,
        url,
        server,
        api_key,
        authorization,
        schedule,
        dump,
        keep,
        method,
        verify,
        enabled,
        connect_timeout,
        timeout,
        ca_file,
        proxy,
        retry,
        allow_http,
    } = default;
    assert_eq!((&example.name, &example.url, &example.server), (name, url, server));
    assert_eq!(example.api_key.to_string(), api_key.to_string());
    assert_eq!(&example.authorization, authorization);
    same_schedule(&example.schedule, schedule);
    assert_eq!((&example.keep, &example.method), (keep, method));
    assert_eq!((&example.dump, &example.verify, &example.enabled), (dump, verify, enabled));
    assert_eq!((&example.connect_timeout, &example.timeout), (connect_timeout, timeout));
    assert_eq!((&example.ca_file, &example.proxy), (ca_file, proxy));
    assert_eq!((&example.retry, &example.allow_http), (retry, allow_http));
}

#[test]
fn inheritance_is_resolved() {
    let path = fixtures("good").into_iter().find(|path| path.ends_with("inheritance.toml")).unwrap();
    let config = parse(&path, true).unwrap_or_else(|problems| panic!("{problems}"));
    let [acme, globex, initech] = config.portals.as_slice() else { panic!("three portals") };
    assert!(Arc::ptr_eq(&acme.schedule, &globex.schedule), "equal inline schedules are one");
    assert!(!Arc::ptr_eq(&acme.schedule, &initech.schedule));
    assert_eq!(acme.retry.max_attempts.get(), 3);
    assert_eq!((globex.retry.max_attempts.get(), globex.retry.deadline.as_secs()), (7, 1800));
    assert_eq!(globex.server.as_str(), "globex.example.com");
    assert_eq!(initech.server.as_str(), "docspace-1");
    assert_eq!(globex.dump, DumpSetting::Both);
    assert_eq!(initech.authorization, Authorization::Verbatim);
    assert_eq!(acme.api_key.to_string(), "environment variable FLEET_KEY");
}

#[test]
fn a_keep_of_ones_own_replaces_the_default_whole() {
    let path = fixtures("good").into_iter().find(|path| path.ends_with("keep.toml")).unwrap();
    let config = parse(&path, true).unwrap_or_else(|problems| panic!("{problems}"));
    let retention = |portal: &Portal| {
        let keep = portal.keep.map(|keep| (keep.last().map(NonZeroU32::get), keep.within()));
        (keep, portal.method)
    };
    let [acme, globex, hooli, initech, umbrella] = config.portals.as_slice() else { panic!("five portals") };
    assert_eq!(retention(acme), (Some((None, Some(Duration::from_hours(24 * 84)))), Method::Each));
    assert_eq!(retention(globex), (Some((Some(3), None)), Method::Each));
    assert_eq!(retention(hooli), (Some((Some(7), Some(Duration::from_hours(36)))), Method::Each));
    assert_eq!(retention(initech), (None, Method::Bulk));
    assert_eq!(retention(umbrella), (None, Method::Each));
    assert_eq!(config.safety.max_wipes, Some(0));
}

#[test]
fn relative_paths_begin_in_the_files_folder() {
    let text = "[[portals]]\nname = \"a\"\nurl = \"https://a.example\"\nschedule.cron = \"@daily\"\n\
                api_key.file = \"keys/a\"\nca_file = \"ca.pem\"\n";
    let config = parse_text(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.portals[0].api_key.to_string(), "file /etc/docsweep/keys/a");
    assert_eq!(config.portals[0].ca_file.as_deref(), Some(Path::new("/etc/docsweep/ca.pem")));
}

#[test]
fn thousands_of_problems_are_bounded() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..3000 {
        writeln!(text, "[[portals]]\nname = \"p{number}\"\nverfy = true").unwrap();
    }
    let problems = parse_text(&text).unwrap_err();
    assert!(problems.count() > 3000);
    assert_eq!((problems.as_slice().len(), problems.views().count()), (1000, 1000));
    let printed = problems.to_string();
    assert_eq!(printed.matches("error: ").count(), 50);
    assert!(printed.ends_with(&format!("the first 50, and {} more", problems.count() - 50)), "{printed}");
}

#[test]
fn problems_are_plain_unless_colour_is_asked_for() {
    let problems = parse_text("x = 1").unwrap_err();
    assert!(!problems.to_string().contains('\u{1b}'));
    assert!(problems.render(true).contains('\u{1b}'));
    let view = problems.views().next().unwrap();
    assert_eq!((view.file, view.line, view.column), ("/etc/docsweep/config.toml", 1, 1));
    assert_eq!(view.message, "unknown key `x` in the file");
}

#[test]
fn an_unreadable_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let error = |path: &Path| Config::load(path).unwrap_err();
    assert!(error(&missing).to_string().contains("docsweep example-config"));
    assert!(matches!(error(folder.path()), LoadError::NoFile { .. }));
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"x = 1\n\xff\xfe").unwrap();
    assert!(matches!(error(&binary), LoadError::NotText { line: 2, .. }));
    let large = folder.path().join("large.toml");
    std::fs::File::create(&large).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    assert!(matches!(error(&large), LoadError::TooLarge { .. }));
}

#[test]
fn a_literal_key_needs_a_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let literal = fixtures("good").into_iter().find(|path| path.ends_with("literal-key.toml")).unwrap();
    std::fs::copy(literal, &path).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    assert!(Config::load(&path).is_ok());
    mode(0o644);
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("chmod o-rwx") && !error.contains("hunter2"), "{error}");
}

/// Damages a text as an editor's accident would: a piece goes, another comes in its place.
fn damaged(text: &str, at: usize, length: usize, junk: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = at % (chars.len() + 1);
    let end = (at + length).min(chars.len());
    chars[..at].iter().collect::<String>() + junk + &chars[end..].iter().collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|([\\[\\]{}=\"'#.,\\\\\n a-z0-9_-]|portals|api_key|é){0,80}") {
        if let Err(problems) = parse_text(&text) {
            prop_assert!(problems.count() > 0);
            prop_assert!(!problems.render(true).is_empty());
        }
    }

    #[test]
    fn no_damage_to_the_example_makes_the_parser_panic(at: usize, length in 0_usize..40, junk in "\\PC{0,8}") {
        if let Err(problems) = parse_text(&damaged(&example(), at, length, &junk)) {
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    /// Any damage, and a key of DocSpace's form.
    #[test]
    fn a_key_in_a_damaged_file_is_never_printed(
        secret in "sk-[A-Za-z0-9]{64}",
        wounds in proptest::collection::vec((any::<usize>(), 0_usize..60, "[\\[\\]{}=\"'#,\n a-z]{0,4}"), 1..4),
    ) {
        never_printed(&secret, &wounds)?;
    }

    /// One slip, and a key that looks like nothing.
    #[test]
    fn a_plain_secret_in_a_damaged_file_is_never_printed(
        secret in "[a-z]{6}xq[a-z]{4}",
        at: usize,
        length in 0_usize..2,
        junk in "[\\[\\]{}=\"'#,\n a-z]{0,1}",
    ) {
        never_printed(&secret, &[(at, length, junk)])?;
    }
}

fn never_printed(secret: &str, wounds: &[(usize, usize, String)]) -> Result<(), TestCaseError> {
    let text =
        example().replace("{ file = \"/etc/docsweep/keys/acme\" }", &format!("\"{secret}\" # {secret}"));
    let text = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let text = wounds.iter().fold(text, |text, (at, length, junk)| damaged(&text, *at, *length, junk));
    if let Err(problems) = parse_text(&text) {
        prop_assert!(!problems.to_string().contains(secret), "{}", problems);
        let debug = format!("{problems:?}");
        prop_assert!(!debug.contains(secret));
        let views: Vec<_> = problems.views().collect();
        prop_assert!(!serde_json::to_string(&views).unwrap().contains(secret));
    }
    Ok(())
}
