//! `docsweep sweep` against simulated portals: what is printed, what the portals went through, and how it is stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use docspace_sim::{Backup, Fault, Key, Portal, Route, Server, StorageKind};
use rustix::process::Signal;
use serde_json::Value;

use super::{objects, snapshot};
use crate::support::process::{DEFAULTS, Ended, NEVER_NOW, Setup, sweeps};

pub(super) async fn portal(server: &Server, name: &str) -> Portal {
    let portal = server.add_portal(name).await.unwrap();
    portal.add_backups(3);
    portal
}

/// A healthy portal, one with dumps and `"both"`, one whose key is too small, and a paused one.
struct Fleet {
    server: Server,
    acme: Portal,
    globex: Portal,
    hooli: Portal,
    initech: Portal,
    setup: Setup,
}

async fn fleet() -> Fleet {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let globex = portal(&server, "globex").await;
    let hooli = portal(&server, "hooli").await;
    let initech = portal(&server, "initech").await;
    server.add_dump(Backup::new(StorageKind::Local));
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    setup.admit_with(&globex, "dump = \"both\"");
    setup.add(&hooli, &hooli.add_key(Key::admin().scopes(&["files:read"])), "");
    setup.admit_with(&initech, "enabled = false");
    Fleet { server, acme, globex, hooli, initech, setup }
}

pub(super) fn printed(ended: &Ended) -> Vec<Value> {
    objects(&ended.stdout.iter().flat_map(|line| [line, "\n"]).collect::<String>())
}

pub(super) fn texts<'a>(records: &'a [Value], keys: &[&str]) -> Vec<Vec<&'a str>> {
    let text = |record: &'a Value, key: &str| record[key].as_str().unwrap_or("-");
    records.iter().map(|record| keys.iter().map(|key| text(record, key)).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_portals_make_a_table_and_one_failure_makes_4() {
    let Fleet { server, acme, globex, hooli, initech, setup } = fleet().await;
    let ended = setup.run(&["sweep"]).await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    snapshot("sweep-table", &ended.stdout.join("\n"));
    assert!(ended.stderr.iter().all(|line| line.starts_with('{')), "logs are JSON here: {:#?}", ended.stderr);
    assert_eq!(sweeps(&ended.stderr).len(), 4);

    assert!(acme.records().is_empty() && acme.files().is_empty());
    assert!(globex.records().is_empty() && server.dumps().is_empty());
    assert_eq!((hooli.records().len(), hooli.deletes().len()), (3, 0));
    assert_eq!((initech.records().len(), initech.requests().len()), (3, 0), "paused, and nobody named it");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_one_object_for_each_sweep_and_dump_value() {
    let fleet = fleet().await;
    let ended = fleet.setup.run(&["sweep", "--json"]).await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    let mut records = printed(&ended);
    records.sort_by_key(|record| record["portal"].to_string() + &record["dump"].to_string());
    assert_eq!(
        texts(&records, &["portal", "dump", "outcome", "failure", "trigger", "method"]),
        [
            ["acme", "false", "deleted", "-", "manual", "bulk"],
            ["globex", "false", "deleted", "-", "manual", "bulk"],
            ["globex", "true", "deleted", "-", "manual", "bulk"],
            ["hooli", "false", "failed", "key_scope", "manual", "bulk"],
        ]
    );
    assert_eq!(records[1]["sweep_id"], records[2]["sweep_id"], "one sweep, two values of Dump");
    assert_eq!((&records[1]["deleted"], &records[2]["deleted"]), (&3.into(), &1.into()));
    let keys = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let sets: Vec<String> = [0, 1, 2, 3]
        .map(|n: usize| format!("{} {}: {}", records[n]["portal"], records[n]["dump"], keys(&records[n])))
        .to_vec();
    snapshot("sweep-json-keys", &sets.join("\n"));

    let logged = sweeps(&ended.stderr);
    let ids = |records: &[Value]| -> BTreeSet<String> {
        records
            .iter()
            .map(|r| [&r["sweep_id"], &r["dump"], &r["outcome"]].map(Value::to_string).concat())
            .collect()
    };
    assert_eq!(ids(&logged), ids(&records), "the log has the same records");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_portal_is_swept_and_no_other_is_touched() {
    let Fleet { server, acme, initech, setup, .. } = fleet().await;
    let ended = setup.run(&["sweep", "acme"]).await;
    assert_eq!(ended.code(), 0, "{ended:#?}");
    assert!(!acme.requests().is_empty() && acme.records().is_empty());
    assert_eq!(server.requests().len(), acme.requests().len());

    let ended = setup.run(&["sweep", "--json", "initech", "initech"]).await;
    assert_eq!(ended.code(), 0, "a paused portal is swept if somebody asks for it: {ended:#?}");
    assert_eq!(printed(&ended).len(), 1);
    assert_eq!((initech.deletes().len(), initech.records().len()), (1, 0));
    assert_eq!(server.requests().len(), acme.requests().len() + initech.requests().len());

    let ended = setup.run(&["sweep", "--json", "acme"]).await;
    assert_eq!(texts(&printed(&ended), &["outcome"]), [["nothing_to_delete"]]);
    assert_eq!(ended.code(), 0);
}

/// An answer of megabytes is no line of megabytes in the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_portal_answers_is_quoted_in_short() {
    let server = Server::start().await.unwrap();
    let mut setup = Setup::by_hand();
    let long = "x".repeat(1_000_000);
    for (name, route, value) in [
        ("acme", Route::History, format!("\"{long}\"")),
        ("globex", Route::DeleteHistory, format!("\"{long}\"")),
        ("hooli", Route::RestoreProgress, format!("true,\"status\":\"{long}\"")),
    ] {
        let portal = portal(&server, name).await;
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let body =
            format!("{{\"response\":{value}}}").replace("{\"response\":\"", "{\"status\":0,\"response\":\"");
        portal.fault_always(route, Fault::Answer { status: 200, headers, body: body.into_bytes() });
        setup.admit(&portal);
    }
    let ended = setup.run(&["sweep", "--json"]).await;
    let mut records = printed(&ended);
    records.sort_by_key(|record| record["portal"].to_string());
    for record in records {
        assert_eq!(record["failure"], "bad_response", "{record}");
        assert!(
            record["detail"].as_str().unwrap().len() < 400,
            "{}",
            record["detail"].as_str().unwrap().len()
        );
    }
    assert!(ended.stderr.iter().all(|line| line.len() < 2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_sweep_is_said() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit_with(&acme, "enabled = false");
    let ended = setup.run(&["sweep"]).await;
    assert_eq!((ended.code(), ended.stdout.as_slice()), (0, &[][..]), "{ended:#?}");
    assert_eq!(ended.stderr, ["warning: every portal is disabled: there is nothing to sweep"]);
    assert!(server.requests().is_empty());
}

/// Nobody reads the results; the sweep itself is none the worse for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_gone_stops_no_sweep() {
    let server = Server::start().await.unwrap();
    let portals = [portal(&server, "acme").await, portal(&server, "globex").await];
    let mut setup = Setup::by_hand();
    for portal in &portals {
        setup.admit(portal);
    }
    for form in [&["sweep"][..], &["sweep", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = setup.command(form);
        command.stdout(writer).stderr(Stdio::piped());
        let output = command.output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panic") && !stderr.contains("\"ERROR\""), "{stderr}");
    }
    assert!(portals.iter().all(|portal| portal.records().is_empty() && portal.deletes().len() == 2));
}

/// A disk that is full under the results is no success, though every portal was swept.
#[tokio::test(flavor = "multi_thread")]
async fn results_that_cannot_be_printed_are_no_success() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    for arguments in [&["sweep", "--json"][..], &["sweep"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = setup.command(arguments);
        command.stdout(full).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("writing to stdout: No space left on device"), "{said}");
    }
    assert!(acme.records().is_empty());
}

/// Nobody reads the log, either.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_no_sweep() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = setup.command(&["sweep", "--json"]);
    command.stderr(writer).stdout(Stdio::piped());
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(objects(&String::from_utf8(output.stdout).unwrap())[0]["outcome"], "deleted");
    assert!(acme.records().is_empty());
}

/// The same names in both forms of the log, whatever the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn text_and_json_logs_have_the_same_fields() {
    let server = Server::start().await.unwrap();
    let (well, ill) = (portal(&server, "acme").await, portal(&server, "hooli").await);
    let mut names = Vec::new();
    for format in ["json", "text"] {
        well.add_backups(1);
        well.fault(Route::DeleteHistory, Fault::GatewayPage(503));
        let log = format!("[daemon.log]\nformat = \"{format}\"\n");
        let mut setup = Setup::new(&[&log, NEVER_NOW, DEFAULTS]);
        setup.admit(&well);
        setup.add(&ill, "sk-0", "retry = { deadline = \"1s\" }");
        let ended = setup.run(&["sweep"]).await;
        assert_eq!(ended.code(), 4, "{ended:#?}");
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in &ended.stderr {
            let (message, fields) = if format == "json" { from_json(line) } else { from_text(line) };
            let portal = if line.contains("acme") { "acme" } else { "hooli" };
            found.insert(format!("{portal}: {message}"), fields);
        }
        names.push(found);
    }
    assert_eq!(names[0], names[1]);
    let messages: Vec<&String> = names[0].keys().collect();
    assert_eq!(
        messages,
        [
            "acme: attempt failed, will be tried again",
            "acme: backup removed",
            "acme: sweep finished",
            "hooli: sweep finished"
        ]
    );
    assert!(names[0]["hooli: sweep finished"].contains("advice"));
}

fn from_json(line: &str) -> (String, BTreeSet<String>) {
    let record: Value = serde_json::from_str(line).unwrap();
    let fields = record.as_object().unwrap().keys().filter(|key| {
        // What every record has beside its own fields.
        !matches!(key.as_str(), "timestamp" | "level" | "message" | "target")
    });
    (record["message"].as_str().unwrap().to_owned(), fields.cloned().collect())
}

/// `TIME LEVEL the message name=value name="a value"`.
fn from_text(line: &str) -> (String, BTreeSet<String>) {
    let (mut fields, mut quoted, mut escaped) = (BTreeSet::new(), false, false);
    let (mut word, mut message) = (String::new(), Vec::new());
    for c in line.chars().chain([' ']) {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' if !quoted => {
                match word.split_once('=') {
                    Some((name, _)) => drop(fields.insert(name.to_owned())),
                    None if !word.is_empty() => message.push(std::mem::take(&mut word)),
                    None => {}
                }
                word.clear();
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        word.push(c);
    }
    (message[2..].join(" "), fields)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_core_file_and_no_key_in_the_arguments() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::seconds("*");
    let key = setup.admit(&acme);
    for verb in ["sweep", "run"] {
        let (hold, before) = (acme.hold(Route::AnyRoute), acme.requests().len());
        let process = setup.start(&[verb]);
        acme.wait_requests(before + 1).await;
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", process.id())).unwrap();
        let limits = of("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let core: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(core, ["0", "0"], "{limits}");
        assert!(of("cmdline").contains(verb) && !of("cmdline").contains(&key));
        hold.release();
        process.signal(Signal::TERM);
        assert!(!process.end().await.everything().contains(&key));
    }
}
