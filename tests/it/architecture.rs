//! The walls of the house: a module imports only from its left (docs/architecture.md).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import from whom, left to right; what stands in one row knows nothing of its neighbours.
const ROWS: &[&[&str]] = &[
    &["domain", "clock"],
    &["cron", "keys"],
    &["retry", "config", "portal", "ledger"],
    &["events"],
    &["sweep", "schedule"],
    &["dispatch"],
    &["lifecycle", "telemetry", "cli"],
    &["commands"],
    &["main"],
];

/// Walls that the rows alone do not show: a module, and what it must not name although it stands to its left, or
/// although it is a crate of somebody else's.
const MUST_NOT_NAME: &[(&str, &[&str])] = &[
    ("domain", &["crate::clock", "tokio", "reqwest", "clap", "toml::"]),
    ("clock", &["crate::domain", "tokio::", "reqwest"]),
    ("cron", &["tokio", "reqwest", "crate::clock"]),
    ("keys", &["tokio", "reqwest", "crate::clock"]),
    ("config", &["reqwest", "clap", "tokio", "crate::clock"]),
    ("retry", &["reqwest", "crate::portal", "crate::config"]),
    ("portal", &["crate::cron", "crate::config", "clap", "tokio_cron_scheduler"]),
    ("events", &["reqwest", "crate::cron", "crate::keys", "crate::config"]),
    ("sweep", &["reqwest", "crate::cron", "croner", "crate::keys", "crate::config"]),
    ("schedule", &["reqwest", "crate::portal", "crate::config", "crate::keys", "crate::retry"]),
    ("dispatch", &["reqwest", "croner", "crate::keys", "crate::config", "tokio_cron_scheduler"]),
    ("ledger", &["reqwest", "croner", "crate::cron", "crate::keys", "tokio::runtime"]),
    ("lifecycle", &["crate::portal", "crate::sweep", "crate::dispatch", "crate::config"]),
    ("cli", &["crate::config", "crate::commands", "tokio"]),
];

/// Crates that one module alone may use.
const SOLE_USERS: &[(&str, &str)] = &[
    ("tokio_cron_scheduler", "schedule"),
    ("chrono::", "schedule"),
    ("croner", "cron"),
    ("reqwest", "portal"),
    ("rustls", "portal"),
    ("secrecy", "keys"),
    ("toml::", "config"),
    ("annotate_snippets", "config"),
    ("comfy_table", "commands"),
    ("rustix", "lifecycle"),
    ("SystemClock", "commands"),
    ("HttpPortals::new", "commands"),
    ("rusqlite", "ledger"),
];

#[test]
fn a_module_imports_only_from_its_left() {
    let mut crossings = Vec::new();
    for (module, path, code) in sources() {
        let own = row(&module).unwrap_or_else(|| panic!("{module} ({}) stands in no row", path.display()));
        for named in named_modules(&code) {
            let other =
                row(&named).unwrap_or_else(|| panic!("{} names an unknown module {named}", path.display()));
            if named != module && other >= own {
                crossings.push(format!("{}: {module} imports {named}", path.display()));
            }
        }
    }
    assert!(crossings.is_empty(), "{}", crossings.join("\n"));
}

#[test]
fn a_module_does_not_name_what_it_must_not_know() {
    let mut crossings = Vec::new();
    for (module, path, code) in sources() {
        let forbidden = MUST_NOT_NAME.iter().filter(|(of, _)| *of == module).flat_map(|(_, names)| *names);
        let home = |name: &str| module == "clock" && name == "SystemClock";
        let sole =
            SOLE_USERS.iter().filter(|(name, user)| *user != module && !home(name)).map(|(name, _)| name);
        for name in forbidden.chain(sole) {
            if code.lines().any(|line| names(line, name)) {
                crossings.push(format!("{}: {module} names {name}", path.display()));
            }
        }
    }
    assert!(crossings.is_empty(), "{}", crossings.join("\n"));
}

#[test]
fn every_row_is_inhabited() {
    let found: BTreeSet<String> = sources().into_iter().map(|(module, ..)| module).collect();
    let listed: BTreeSet<String> = ROWS.iter().flat_map(|row| row.iter()).map(ToString::to_string).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_simulator_knows_nothing_of_docsweep() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docspace-sim");
    let mut files = rust_files(&root.join("src"));
    files.push(root.join("Cargo.toml"));
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.to_lowercase().contains("docsweep"), "{} names docsweep", path.display());
    }
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The code of every module: its name, its file, and its text without comments and without its unit tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files(&src)
        .into_iter()
        .filter(|path| !path.ends_with("src/lib.rs"))
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap();
            let first = inside.iter().next().unwrap().to_str().unwrap();
            let module = first.strip_suffix(".rs").unwrap_or(first).to_owned();
            let code = code(&fs::read_to_string(&path).unwrap());
            (module, path.clone(), code)
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = shipped.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The modules of this crate that a text names, as `crate::x`, as `docsweep::x`, or in a brace list after either.
fn named_modules(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in ["crate::", "docsweep::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '"' | ':')) {
                continue;
            }
            let rest = &code[at + root.len()..];
            let list = match rest.strip_prefix('{') {
                Some(inner) => top_level(inner),
                None => {
                    rest.split([';', ' ', '\n', '(', '<', ',', ')']).next().unwrap_or_default().to_owned()
                }
            };
            for item in list.split(',') {
                let name: String =
                    item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !name.is_empty() {
                    found.insert(name);
                }
            }
        }
    }
    found
}

/// What a brace list holds at its own level, up to its end: the lists inside belong to the modules before them.
fn top_level(inner: &str) -> String {
    let mut depth = 0_u32;
    let mut level = String::new();
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            c if depth == 0 => level.push(c),
            _ => {}
        }
    }
    level
}

/// Whether a line of code names a path: the name stands alone or is followed by `::`, and is no part of a word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| word(c) || c == '"') && (name.ends_with(':') || !after.is_some_and(word))
    })
}

#[test]
fn the_reader_of_use_lines_sees_what_it_should() {
    let code = "use crate::domain::{A, B};\nuse crate::{clock, keys::{X, Y}, cron::Z};\nlet x = crate::retry::Stop::default();\n";
    let found: Vec<String> = named_modules(code).into_iter().collect();
    assert_eq!(found, ["clock", "cron", "domain", "keys", "retry"]);
    assert!(names("use reqwest::Client;", "reqwest"));
    assert!(!names("let reqwests = 1;", "reqwest"));
    assert!(!names("\"reqwest\"", "reqwest"));
}
