//! Nothing that docsweep writes shows a key, whatever goes wrong: every class of failure, with every log record there
//! is, and portals that answer with what they were sent.

use std::collections::BTreeSet;
use std::fs;

use docspace_sim::{Fault, Key, Portal, Role, Route, Server, Status, Tls};
use rustix::process::Signal;

use crate::support::process::{NEVER_NOW, Setup, sweeps};

const LITERAL: &str = "sk-L1teral+Key/With=Odd&Letters?0123456789abcdef";
const PROXY_PASSWORD: &str = "pr0xy-passw0rd-9f8e7d";

/// Secrets that must not be seen, each in every form that it might be seen in.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        let bare = secret.strip_prefix("sk-").unwrap_or(secret);
        for form in [secret, bare] {
            self.0.extend([form.to_owned(), percent(form, false), percent(form, true)]);
            self.0.extend(base64_anywhere(form));
        }
        // Half of one is too much, too.
        self.0.push(bare[..bare.len() / 2].to_owned());
        self.0.push(bare[bare.len() / 2..].to_owned());
    }

    fn found_in(&self, text: &str) -> Vec<&str> {
        let lower = text.to_lowercase();
        let shows = |form: &&String| text.contains(form.as_str()) || lower.contains(&form.to_lowercase());
        self.0.iter().filter(shows).map(String::as_str).collect()
    }
}

fn percent(text: &str, all: bool) -> String {
    let plain = |byte: u8| !all && byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What the text looks like in the middle of a longer one in base64, for each way the groups of three can fall.
fn base64_anywhere(text: &str) -> Vec<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut forms = Vec::new();
    for skip in 0..3 {
        let groups = text.as_bytes()[skip..].chunks_exact(3);
        let encode = |group: &[u8]| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift & 63) as usize]))
        };
        let form: String = groups.flat_map(encode).collect();
        forms.push(form.replace('+', "-").replace('/', "_"));
        forms.push(form);
    }
    forms
}

#[test]
fn the_search_finds_what_it_should() {
    let mut secrets = Secrets::default();
    secrets.add("sk-0123456789abcdef?x");
    for text in [
        "key sk-0123456789abcdef?x",
        "0123456789ABCDEF?X",
        "sk%2D0123456789abcdef%3Fx",
        // "Bearer sk-0123456789abcdef?x" and "user:sk-0123456789abcdef?x"
        "QmVhcmVyIHNrLTAxMjM0NTY3ODlhYmNkZWY/eA==",
        "dXNlcjpzay0wMTIzNDU2Nzg5YWJjZGVmP3g=",
        "…456789abcdef?x",
    ] {
        assert!(!secrets.found_in(text).is_empty(), "{text}");
    }
    assert!(secrets.found_in("sk-012 and nothing else").is_empty());
}

/// What becomes of one portal: its name, the class or reason that its record must have, and what is done to it.
type Case = (&'static str, &'static str, fn(&Portal, &str));

fn answer(status: u16, body: String) -> Fault {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    Fault::Answer { status, headers, body: body.into_bytes() }
}

fn echo(status: u16, key: &str) -> Fault {
    Fault::Dotnet {
        status,
        kind: format!("Bearer {key}"),
        message: format!("authorization was Bearer {key}"),
    }
}

/// Each with a key of its own.
const CASES: &[Case] = &[
    ("server-error", "server_error", |p, _| p.fault_always(Route::RestoreProgress, Fault::GatewayPage(502))),
    ("rate-limited", "rate_limited", |p, _| {
        p.fault_always(Route::History, Fault::RateLimited { retry_after: None });
    }),
    ("unknown", "outcome_unknown", |p, _| p.fault_always(Route::DeleteHistory, Fault::GatewayPage(504))),
    ("reset", "outcome_unknown", |p, _| p.fault_always(Route::DeleteHistory, Fault::ResetAfterWork)),
    ("busy", "busy", |p, _| p.start_restoring()),
    ("rejected", "key_rejected", |p, key| p.revoke(key)),
    ("scope", "key_scope", |p, key| p.set_key(key, Key::admin().scopes(&["files:read"]))),
    ("not-admin", "not_admin", |p, key| p.set_key(key, Key::room_admin())),
    ("blocked", "ip_blocked", |p, key| {
        p.fault_always(Route::History, answer(403, format!("no entry for {}Bearer {key}", "x".repeat(140))));
    }),
    ("unpaid", "unpaid", |p, _| p.set_unpaid(true)),
    ("suspended", "suspended", |p, _| p.set_status(Status::Suspended)),
    ("no-such", "no_such_portal", |p, _| p.remove()),
    ("page", "not_a_portal", |p, _| p.fault_always(Route::AnyRoute, Fault::HtmlPage)),
    ("redirect", "redirected", |p, key| {
        let location = format!("https://elsewhere.example/{key}/?key={key}");
        p.fault_always(Route::AnyRoute, Fault::Redirect { status: 302, location });
    }),
    ("cut-json", "bad_response", |p, _| p.fault_always(Route::History, Fault::TruncatedJson)),
    ("garbage", "server_error", |p, _| p.fault_always(Route::AnyRoute, Fault::Garbage)),
    ("echo-500", "server_error", |p, key| p.fault_always(Route::RestoreProgress, echo(500, key))),
    ("echo-403", "not_admin", |p, key| p.fault_always(Route::History, echo(403, key))),
    ("echo-200", "bad_response", |p, key| {
        p.fault_always(
            Route::DeleteHistory,
            answer(200, format!("{{\"status\":0,\"response\":\"Bearer {key}\"}}")),
        );
    }),
    ("echo-list", "bad_response", |p, key| {
        p.fault_always(
            Route::History,
            answer(200, format!("{{\"status\":0,\"response\":\"Bearer {key}\"}}")),
        );
    }),
    ("echo-name", "-", |p, key| {
        p.add_backup(docspace_sim::Backup::documents().file_name(key));
    }),
    ("well", "-", |_, _| {}),
];

/// Everything in a folder but what is secret itself: key files and the configuration with the literal key.
fn other_files(setup: &Setup) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(setup.folder()).unwrap() {
        let path = entry.unwrap().path();
        let secret = path.extension().is_some_and(|e| e == "key") || path.ends_with("config.toml");
        if !secret {
            all.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
        }
        all.push_str(path.file_name().unwrap().to_str().unwrap());
    }
    all
}

struct Scene {
    servers: Vec<Server>,
    setup: Setup,
    secrets: Secrets,
    /// Portals and what their records must say.
    expected: BTreeSet<(String, String)>,
}

async fn scene() -> Scene {
    let server = Server::start().await.unwrap();
    let defaults = "[defaults]\nschedule = \"s\"\nallow_http = true\ntimeout = \"20s\"\n\
                    retry = { initial_backoff = \"1ms\", max_backoff = \"2ms\", max_attempts = 2, deadline = \"25s\" }\n";
    let mut scene = Scene {
        servers: Vec::new(),
        setup: Setup::new(&[NEVER_NOW, defaults]),
        secrets: Secrets::default(),
        expected: BTreeSet::new(),
    };
    for (name, class, what) in CASES {
        let portal = server.add_portal(name).await.unwrap();
        portal.add_backups(1);
        let key = scene.setup.admit(&portal);
        what(&portal, &key);
        scene.expect(name, class, &key);
    }
    scene.other_keys(&server).await;
    scene.other_ways(&server).await;
    scene.servers.push(server);
    scene
}

impl Scene {
    fn expect(&mut self, name: &str, class: &str, key: &str) {
        self.secrets.add(key);
        self.expected.insert((name.to_owned(), class.to_owned()));
    }

    /// Keys from elsewhere than a proper file.
    async fn other_keys(&mut self, server: &Server) {
        for (name, class, api_key) in [
            ("literal", "-", format!("\"{LITERAL}\"")),
            ("variable", "-", "{ env = \"THE_KEY\" }".to_owned()),
            ("exposed", "key_unavailable", "{ file = \"exposed.key\" }".to_owned()),
            ("two-lines", "key_unavailable", "{ file = \"two-lines.key\" }".to_owned()),
        ] {
            let portal = server.add_portal(name).await.unwrap();
            let key = if name == "literal" { LITERAL.to_owned() } else { portal.add_key(Key::admin()) };
            portal.set_key(&key, Key::admin());
            self.setup.table(&portal, &format!("api_key = {api_key}"));
            let lines = if name == "two-lines" { format!("{key}\n{key}\n") } else { key.clone() };
            let file = self.setup.private(&format!("{name}.key"), &lines);
            if name == "exposed" {
                fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            }
            self.expect(name, class, &key);
        }
        let portal = server.add_portal("session").await.unwrap();
        let token = portal.add_session(Role::Admin);
        self.setup.add(&portal, &token, "authorization = \"verbatim\"\ndump = true");
        portal.fault_always(Route::Version, echo(500, &token));
        self.expect("session", "server_error", &token);
    }

    /// Portals that are reached otherwise: not at all, through a proxy, over TLS.
    async fn other_ways(&mut self, server: &Server) {
        let saas = Server::builder().saas().start().await.unwrap();
        let portal = saas.add_portal("no-dumps").await.unwrap();
        let key = self.setup.admit_with(&portal, "dump = true");
        self.expect("no-dumps", "dump_refused", &key);

        let portal = server.add_portal("refusing").await.unwrap();
        let key = self.setup.admit(&portal);
        portal.refuse_connections().await.unwrap();
        self.expect("refusing", "unreachable", &key);

        let tls = Server::builder().tls(Tls::WrongHost).start().await.unwrap();
        let portal = tls.add_portal("tls").await.unwrap();
        self.setup.private("ca.pem", &tls.ca_pem());
        let key = self.setup.admit_with(&portal, "ca_file = \"ca.pem\"");
        self.expect("tls", "tls", &key);

        // The proxy is a portal that answers whatever it is asked for as if it were its own.
        let proxy = server.add_portal("proxy").await.unwrap();
        proxy.fault_always(Route::AnyRoute, echo(500, PROXY_PASSWORD));
        self.secrets.add(PROXY_PASSWORD);
        for (name, of) in [("by-proxy", server), ("tls-by-proxy", &tls)] {
            let portal = of.add_portal(name).await.unwrap();
            let line = format!("proxy = \"http://somebody:{PROXY_PASSWORD}@127.0.0.1:{}\"", proxy.port());
            let key = self.setup.admit_with(&portal, &line);
            self.expect(name, "?", &key);
        }
        self.servers.extend([saas, tls]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_written() {
    let Scene { servers, setup, secrets, expected } = scene().await;
    let variable = fs::read_to_string(setup.folder().join("variable.key")).unwrap();
    let trace = [("RUST_LOG", "trace"), ("THE_KEY", variable.as_str())];
    let mut all = String::new();

    let ended = setup.start_with(&["sweep", "--json"], &trace).end().await;
    assert_eq!(ended.code(), 4);
    for crate_name in ["hyper_util", "reqwest", "rustls"] {
        let traces = |line: &&String| line.contains("TRACE\"") && line.contains(crate_name);
        assert!(ended.stderr.iter().any(|line| traces(&line)), "no trace of {crate_name}");
    }
    for (name, _) in &expected {
        assert!(ended.stderr.iter().any(|line| line.contains(&format!("\"portal\":\"{name}\""))), "{name}");
    }
    let records = sweeps(&ended.stderr);
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    for record in &records {
        let text = |field: &str| record[field].as_str().map(str::to_owned);
        let class = text("failure").or(text("reason")).unwrap_or_else(|| "-".to_owned());
        let any = expected.contains(&(text("portal").unwrap(), "?".to_owned()));
        found.insert((text("portal").unwrap(), if any { "?".to_owned() } else { class }));
    }
    assert_eq!(found, expected);
    all.push_str(&ended.everything());

    for verb in
        [&["check"][..], &["check", "--json"], &["show-config"], &["show-config", "--json"], &["next"]]
    {
        let ended = setup.start_with(verb, &trace).end().await;
        assert_eq!(ended.code(), 0, "{ended:#?}");
        all.push_str(&ended.everything());
    }
    let mut daemon = setup.start_with(&["run"], &trace);
    daemon.stderr.line("docsweep started").await;
    daemon.signal(Signal::TERM);
    all.push_str(&daemon.end().await.everything());

    let mut broken = setup;
    broken.spoil();
    for verb in [&["check"][..], &["check", "--json"], &["run"]] {
        let ended = broken.start_with(verb, &trace).end().await;
        assert_eq!(ended.code(), 78, "{ended:#?}");
        all.push_str(&ended.everything());
    }
    all.push_str(&other_files(&broken));
    drop(servers);
    let shown: BTreeSet<&str> = secrets.found_in(&all).into_iter().collect();
    let lines = all.lines().filter(|line| shown.iter().any(|form| line.contains(form)));
    let lines: Vec<&str> = lines.take(20).collect();
    assert!(shown.is_empty(), "{shown:#?} are shown in:\n{}", lines.join("\n"));
}
