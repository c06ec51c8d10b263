//! `ledger check`, and ledgers that cannot be read.

use std::fmt::Write as _;
use std::fs;

use serde_json::json;

use super::super::{command, docsweep, objects, say, snapshot};
use super::{CONFIG, House, fleet};

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_a_configuration_can_be_checked() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    drop(ledger);
    let path = house.path("docsweep.db");
    let before = fs::read(&path).unwrap();
    let said = docsweep(&["ledger", "check", path.to_str().unwrap()]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(house.tidy(&said.stdout), "FOLDER/docsweep.db: no problems\n");
    let said = docsweep(&["ledger", "check", "--json", path.to_str().unwrap()]);
    assert_eq!(objects(&said.stdout), [json!({ "kind": "sound", "file": path.to_str().unwrap() })]);
    assert_eq!(fs::read(&path).unwrap(), before, "nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_ledger_lies_in_the_state_directory() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    let path = house.path("relative.toml");
    fs::write(&path, CONFIG).unwrap();
    let state = format!("{}:/nonexistent", house.folder.path().display());
    let arguments = ["ledger", "check", "--config", path.to_str().unwrap()];
    let said = say(command(&arguments).env("STATE_DIRECTORY", state));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = say(command(&arguments).current_dir(house.folder.path()));
    assert_eq!((said.code, said.stdout.as_str()), (0, "docsweep.db: no problems\n"), "{}", said.stderr);
}

/// Every command that reads the ledger says what is wrong with it, and what to do, and ends with 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_read_ends_with_1() {
    let mut house = House::new();
    let mut all = String::new();
    let mut each = |house: &House, what: &str| {
        let verbs = [&["status"][..], &["history"], &["why", "acme"], &["ledger", "check"]];
        for arguments in verbs {
            let said = house.say(arguments);
            assert_eq!(said.code, 1, "{what}: {arguments:?}: {}", said.stdout);
            let json = house.say(&[arguments, &["--json"]].concat());
            assert_eq!(json.code, 1, "{what}: {arguments:?}");
            if matches!(arguments, ["status"] | ["ledger", ..]) {
                let (out, err) = (house.tidy(&said.stdout), house.tidy(&said.stderr));
                write!(all, "{what}, {}\n{out}{err}\n", arguments.join(" ")).unwrap();
            } else {
                assert_eq!((said.stdout.as_str(), json.stdout.as_str()), ("", ""), "{what}");
            }
        }
    };
    each(&house, "absent");
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    drop(ledger);
    let path = house.path("docsweep.db");
    let sound = fs::read(&path).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = sound.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(&path, &file).unwrap();
        file
    };
    // The file's header holds its user_version at byte 60.
    let newer = with(60, &99_u32.to_be_bytes());
    each(&house, "newer");
    assert_eq!(fs::read(&path).unwrap(), newer, "nothing is written");
    // The header of the first page's tree of pages.
    let damaged = with(100, &[0; 24]);
    each(&house, "damaged");
    assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is written");
    fs::write(&path, "hello").unwrap();
    each(&house, "something else");
    snapshot("ledger-errors", &all);
}

/// Damage that the commands' own reading does not meet is found by the check.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_reads_the_whole_ledger() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    drop(ledger);
    let path = house.path("docsweep.db");
    let mut file = fs::read(&path).unwrap();
    let pages = file.len() / 4096;
    file[(pages - 3) * 4096..(pages - 3) * 4096 + 8].fill(0xff);
    fs::write(&path, &file).unwrap();
    let said = house.say(&["ledger", "check"]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.starts_with(path.to_str().unwrap())), "{}", said.stdout);
    assert!(said.stderr.contains(".recover"), "{}", said.stderr);
    let found = objects(&house.say(&["ledger", "check", "--json"]).stdout);
    assert!(!found.is_empty() && found.iter().all(|problem| problem["kind"] == "problem"), "{found:?}");
    assert_eq!(fs::read(&path).unwrap(), file, "nothing is written");
}
