//! The commands as a person meets them: what they print, and how they end.

mod interrupt;
mod ledger;
mod plan;
mod sweep;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use docsweep::clock::{Clock as _, SystemClock};
use docsweep::cron::{Cron, Timetable, Zone};
use jiff::Timestamp;
use serde_json::Value;

/// A configuration of two portals and a paused one, with keys that cannot be read here.
const CONFIG: &str = r#"[schedules.nightly]
cron = "0 3 * * *"
timezone = "Europe/Riga"

[defaults]
schedule = "nightly"

[[portals]]
name = "acme"
url = "https://acme.example.com"
api_key = { file = "acme.key" }

[[portals]]
name = "globex"
url = "https://globex.example.com"
api_key = { credential = "globex" }
schedule = { cron = "*/20 * * * *" }

[[portals]]
name = "initech"
url = "https://initech.example.com"
api_key = { env = "INITECH_KEY" }
enabled = false
"#;

/// What a command wrote, and its exit code.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docsweep"));
    command.env_clear().current_dir("/").args(arguments).timeout(Duration::from_mins(1));
    command
}

fn say(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn docsweep(arguments: &[&str]) -> Said {
    say(&mut command(arguments))
}

/// A folder with this configuration in it, and the configuration's path.
fn configured(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn objects(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has its end: {text:?}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots/cli", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn help_says_what_there_is() {
    let verbs = ["", "run", "sweep", "plan", "status", "history", "why", "ledger", "ledger check", "check"];
    for verb in verbs.into_iter().chain(["show-config", "example-config", "next"]) {
        let arguments: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
        let said = docsweep(&arguments);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""));
        snapshot(&["help", &verb.replace(' ', "-")].join("-"), &said.stdout);
    }
}

#[test]
fn the_version_is_the_packages() {
    let said = docsweep(&["--version"]);
    assert_eq!(said.stdout, format!("docsweep {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(said.code, 0);
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    for arguments in [&[][..], &["sweeep"], &["run", "acme"], &["next", "-n", "0"], &["check", "--jsn"]] {
        let said = docsweep(arguments);
        assert_eq!(said.code, 2, "{arguments:?}");
        assert_eq!(said.stdout, "");
        assert!(said.stderr.contains("Usage: ") || said.stderr.contains("--help"), "{}", said.stderr);
    }
}

#[test]
fn check_tells_what_is_well_and_warns_of_keys_it_cannot_read() {
    let (folder, path) = configured(CONFIG);
    let said = docsweep(&["check", "--config", &path]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let tidy = |text: &str| text.replace(folder.path().to_str().unwrap(), "FOLDER");
    snapshot("check-good", &format!("{}---\n{}", tidy(&said.stdout), tidy(&said.stderr)));

    let said = docsweep(&["check", "--json", "--config", &path]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let kinds: Vec<_> = objects(&said.stdout)
        .iter()
        .map(|object| (object["kind"].as_str().unwrap().to_owned(), object["portal"].clone()))
        .collect();
    // No word on globex: systemd gives a credential to the service alone.
    assert_eq!(
        kinds,
        [
            ("warning".into(), "acme".into()),
            ("warning".into(), "initech".into()),
            ("valid".into(), Value::Null)
        ]
    );
    let valid = objects(&said.stdout).pop().unwrap();
    assert_eq!((&valid["portals"], &valid["paused"], &valid["schedules"]), (&3.into(), &1.into(), &1.into()));

    let said = say(command(&["check", "--config", &path]).env("CREDENTIALS_DIRECTORY", folder.path()));
    assert!(said.stderr.contains("globex"), "where there are credentials, one that is missing is told");
}

#[test]
fn check_has_nothing_to_say_of_keys_that_can_be_read() {
    let (folder, path) = configured(CONFIG);
    let key = folder.path().join("acme.key");
    fs::write(&key, "sk-0123").unwrap();
    let said = say(command(&["check", "--config", &path]).env("INITECH_KEY", "sk-4567"));
    assert!(said.stderr.contains("can be read by every user"), "{}", said.stderr);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let said = say(command(&["check", "--config", &path]).env("INITECH_KEY", "sk-4567"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let said = say(command(&["check", "--config", &path]).env("INITECH_KEY", " "));
    assert!(said.stderr.contains("initech") && said.stderr.contains("it is empty"), "{}", said.stderr);
}

#[test]
fn check_tells_every_problem() {
    let bad = CONFIG.replace("0 3 * * *", "61 3 * * *").replace("enabled = false", "enbled = false");
    let (folder, path) = configured(&bad);
    let said = docsweep(&["check", "--config", &path]);
    assert_eq!((said.code, said.stdout.as_str()), (78, ""));
    snapshot("check-bad", &said.stderr.replace(folder.path().to_str().unwrap(), "FOLDER"));

    let said = docsweep(&["check", "--json", "--config", &path]);
    assert_eq!((said.code, said.stderr.as_str()), (78, ""));
    let problems = objects(&said.stdout);
    assert_eq!(problems.len(), 2, "{problems:?}");
    for problem in problems {
        assert_eq!(problem["kind"], "problem");
        assert!(problem["line"].is_u64() && problem["column"].is_u64() && problem["message"].is_string());
    }
    for verb in [&["run"][..], &["sweep"], &["next"], &["show-config"]] {
        let said = docsweep(&[verb, &["--config", &path]].concat());
        assert_eq!(said.code, 78, "{verb:?}");
        assert!(said.stderr.ends_with("config.toml\n"), "{verb:?}: {}", said.stderr);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_ends_with_78() {
    let (folder, path) = configured(CONFIG);
    let named = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(named("latin1.toml"), b"# caf\xe9\n").unwrap();
    std::os::unix::fs::symlink("loop.toml", named("loop.toml")).unwrap();
    let mut all = String::new();
    for bad in [named("missing.toml"), named("latin1.toml"), named("loop.toml"), named("")] {
        for verb in ["check", "run", "sweep", "next", "show-config"] {
            let said = docsweep(&[verb, "--config", &bad]);
            assert_eq!((said.code, said.stdout.as_str()), (78, ""), "{verb} {bad}");
            if verb == "check" {
                all.push_str(&said.stderr.replace(folder.path().to_str().unwrap(), "FOLDER"));
            }
        }
        let said = docsweep(&["check", "--json", "--config", &bad]);
        assert_eq!(said.code, 78);
        let found = objects(&said.stdout);
        assert_eq!((found.len(), &found[0]["kind"]), (1, &"unreadable".into()));
    }
    snapshot("check-unreadable", &all);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The super-user reads it all the same.
    if fs::read(&path).is_err() {
        let said = docsweep(&["check", "--config", &path]);
        assert_eq!(said.code, 78);
        assert!(said.stderr.contains("let the user that docsweep runs as read it"), "{}", said.stderr);
    }
}

#[test]
fn the_option_beats_the_variable() {
    let (_folder, path) = configured(CONFIG);
    let (_other, bad) = configured("");
    assert_eq!(say(command(&["check"]).env("DOCSWEEP_CONFIG", &path)).code, 0);
    assert_eq!(say(command(&["check"]).env("DOCSWEEP_CONFIG", &bad)).code, 78);
    assert_eq!(say(command(&["check", "--config", &path]).env("DOCSWEEP_CONFIG", &bad)).code, 0);
    assert_eq!(say(command(&["--config", &bad, "check"]).env("DOCSWEEP_CONFIG", &path)).code, 78);
    if !Path::new("/etc/docsweep/config.toml").exists() {
        assert!(docsweep(&["check"]).stderr.contains("/etc/docsweep/config.toml"));
    }
}

#[test]
fn the_example_is_a_configuration() {
    let said = docsweep(&["example-config"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let (_folder, path) = configured(&said.stdout);
    let said = docsweep(&["check", "--config", &path]);
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
fn show_config_hides_secrets_and_can_be_read_again() {
    let secret = "sk-feedfacefeedfacefeedfacefeedface";
    let text = CONFIG.replace(
        "{ file = \"acme.key\" }",
        &format!("\"{secret}\"\nproxy = \"http://me:hunter2@proxy:3128\""),
    );
    let (folder, path) = configured(&text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let shown = docsweep(&["show-config", "--config", &path]);
    let json = docsweep(&["show-config", "--json", "--config", &path]);
    for said in [&shown, &json] {
        assert_eq!((said.code, said.stderr.as_str()), (0, ""));
        assert!(!said.stdout.contains("feedface") && !said.stdout.contains("hunter2"), "{}", said.stdout);
        assert!(said.stdout.contains("(hidden)"));
    }
    let kinds: Vec<_> = objects(&json.stdout).iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["daemon", "safety", "schedule", "portal", "portal", "portal"]);
    let again = folder.path().join("again.toml");
    fs::write(&again, &shown.stdout).unwrap();
    fs::set_permissions(&again, fs::Permissions::from_mode(0o600)).unwrap();
    let said = docsweep(&["show-config", "--config", again.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.stdout, shown.stdout);
}

#[test]
fn next_tells_the_slots_of_the_timetables() {
    let (_folder, path) = configured(CONFIG);
    let before = SystemClock.now();
    let said = docsweep(&["next", "-n", "5", "--json", "--config", &path]);
    let after = SystemClock.now();
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let found: Vec<(Timestamp, String)> = objects(&said.stdout)
        .iter()
        .map(|object| {
            (
                object["slot"].as_str().unwrap().parse().unwrap(),
                object["portals"][0].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert!(found == expected(before) || found == expected(after), "{found:?}");

    let said = docsweep(&["next", "-n", "3", "acme", "--json", "--config", &path]);
    for object in objects(&said.stdout) {
        assert_eq!(object["portals"], serde_json::json!(["acme"]));
        assert_eq!((&object["schedule"], &object["timezone"]), (&"nightly".into(), &"Europe/Riga".into()));
        assert!(object["local"].as_str().unwrap().contains(" 03:00:00 +0"), "{object}");
    }
    let said = docsweep(&["next", "initech", "-n", "1", "--json", "--config", &path]);
    assert_eq!(
        objects(&said.stdout)[0]["portals"],
        serde_json::json!(["initech"]),
        "a paused one, if it is named"
    );
}

/// The next five slots of acme and globex.
fn expected(now: Timestamp) -> Vec<(Timestamp, String)> {
    let slots = |cron: &str, zone: &str, name: &str| {
        let timetable = Timetable { cron: Cron::parse(cron).unwrap(), zone: Zone::parse(zone).unwrap() };
        let slots: Vec<_> =
            std::iter::successors(timetable.next_after(now), |slot| timetable.next_after(*slot))
                .take(5)
                .map(|slot| (slot, name.to_owned()))
                .collect();
        slots
    };
    let mut all = slots("0 3 * * *", "Europe/Riga", "acme");
    all.extend(slots("*/20 * * * *", "UTC", "globex"));
    all.sort_by_key(|(slot, _)| *slot);
    all.truncate(5);
    all
}

#[test]
fn next_is_a_table_for_people() {
    let (_folder, path) = configured(CONFIG);
    let said = docsweep(&["next", "-n", "2", "acme", "--config", &path]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    for column in ["SLOT", "LOCAL TIME", "SCHEDULE", "PORTALS"] {
        assert!(lines[0].contains(column));
    }
    assert!(lines[1].contains(" 03:00:00 +0") && lines[1].ends_with("acme"), "{}", said.stdout);
}

#[test]
fn next_says_why_there_are_no_slots() {
    let (_folder, path) = configured(&CONFIG.replace("[defaults]", "[defaults]\nenabled = false"));
    for form in [&["next"][..], &["next", "--json"]] {
        let said = docsweep(&[form, &["--config", &path]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (0, ""));
        assert_eq!(said.stderr, "warning: every portal is disabled: there are no slots to come\n");
    }
}

#[test]
fn a_portal_that_does_not_exist_ends_with_2_and_the_nearest_name() {
    let (_folder, path) = configured(CONFIG);
    for verb in ["next", "sweep"] {
        let said = docsweep(&[verb, "acme", "glbex", "--config", &path]);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""));
        assert_eq!(
            said.stderr,
            "error: the configuration has no portal \"glbex\"; did you mean \"globex\"?\n"
        );
    }
}

/// As with `| head -0`: nobody reads what is printed.
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let (_folder, path) = configured(CONFIG);
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["example-config"],
        &["check", "--config", &path],
        &["check", "--json", "--config", &path],
        &["show-config", "--config", &path],
        &["show-config", "--json", "--config", &path],
        &["next", "-n", "10000", "--config", &path],
        &["next", "-n", "10000", "--json", "--config", &path],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docsweep"));
        let output = command.env_clear().args(arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panic"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_log_filter_that_is_none_is_said() {
    let (_folder, path) = configured(CONFIG);
    for verb in ["run", "sweep"] {
        let said = say(command(&[verb, "--config", &path]).env("RUST_LOG", "docsweep=loud"));
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
        assert!(
            said.stderr.starts_with("error: RUST_LOG=\"docsweep=loud\" is no log filter"),
            "{}",
            said.stderr
        );
        assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    }
}
