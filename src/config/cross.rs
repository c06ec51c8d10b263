//! The rules between portals: what no two of them may share, and whose keys may stand in the file.

use std::collections::HashMap;
use std::ops::Range;

use super::problem::Problem;
use super::raw::{RawFile, RawPortal};
use super::validate;
use super::value::quote;
use crate::domain::{DumpSetting, ServerName};

/// Checks what only a look at all portals can tell.
pub(super) fn check(raw: &RawFile, problems: &mut Vec<Problem>) {
    unique_names(raw, problems);
    unique_urls(raw, problems);
    one_dump_per_server(raw, problems);
}

fn unique_names(raw: &RawFile, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for at in raw.portals.iter().filter_map(|portal| portal.name.good()) {
        let name = at.value.as_str();
        let Some(first) = seen.get(name) else {
            seen.insert(name, at.span.clone());
            continue;
        };
        let problem = Problem::new(at.span.clone(), format!("two portals are called {}", quote(name)))
            .label("the name again")
            .other(first.clone(), "first used here")
            .help("give one of them another name: records and `docsweep history` go by it");
        problems.push(problem);
    }
}

/// Two entries for one portal would delete the same history, on two schedules or with two settings.
fn unique_urls(raw: &RawFile, problems: &mut Vec<Problem>) {
    let mut seen = HashMap::new();
    for at in raw.portals.iter().filter_map(|portal| portal.url.good()) {
        let url = at.value.as_url();
        let address = (at.value.host().trim_end_matches('.'), url.port_or_known_default());
        let Some(first) = seen.get(&address) else {
            seen.insert(address, at.span.clone());
            continue;
        };
        let problem = Problem::new(at.span.clone(), format!("two portals have the address {}", at.value))
            .label("the address again")
            .other(Range::clone(first), "first used here")
            .help("keep one of them: both would delete the same backups. `dump = \"both\"` covers both sets");
        problems.push(problem);
    }
}

/// Server-wide dumps are one set for all portals of a server, so one portal is enough, and two are a mistake.
fn one_dump_per_server(raw: &RawFile, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<ServerName, (Range<usize>, &str)> = HashMap::new();
    for portal in &raw.portals {
        let Some((server, span)) = dumping(raw, portal) else { continue };
        let Some((first, title)) = seen.get(&server) else {
            seen.insert(server, (span, &portal.title));
            continue;
        };
        let message = format!(
            "{title} and {} both delete the server-wide dumps of {}",
            portal.title,
            quote(server.as_str())
        );
        let problem = Problem::new(span, message)
            .label("the second one of this server")
            .other(first.clone(), "the first one")
            .help("the dumps are one set: write `dump = false` for all portals of a server but one");
        problems.push(problem);
    }
}

/// The server whose dumps a portal deletes, and where the file says so.
fn dumping(raw: &RawFile, portal: &RawPortal) -> Option<(ServerName, Range<usize>)> {
    let dump = portal.settings.dump.or(&raw.defaults.dump).good()?;
    if dump.value == DumpSetting::Own {
        return None;
    }
    let url = &portal.url.good()?.value;
    let server = validate::server(portal.settings.server.or(&raw.defaults.server), url)?;
    // An inherited `dump` is one place for all portals; the portal's own place says which ones are meant.
    let named = || portal.name.good().map_or(portal.span.clone(), |at| at.span.clone());
    Some((server, portal.settings.dump.good().map_or_else(named, |at| at.span.clone())))
}

/// A key in the file itself is a key for everybody who can read the file.
pub(super) fn private_literals(raw: &RawFile, file: &str, problems: &mut Vec<Problem>) {
    let own = raw.portals.iter().map(|portal| &portal.settings.api_key);
    let literal = |field: &&super::reader::Field<_>| {
        field.good().is_some_and(|at| matches!(at.value, crate::keys::ApiKeySource::Literal(_)))
    };
    let mut literals: Vec<Range<usize>> = std::iter::once(&raw.defaults.api_key)
        .chain(own)
        .filter(literal)
        .filter_map(|field| field.good().map(|at| at.span.clone()))
        .collect();
    literals.sort_by_key(|span| span.start);
    let Some(first) = literals.first() else { return };
    let label = match literals.len() {
        1 => "a key in the file itself".to_owned(),
        count => format!("the first of {count} keys in the file itself"),
    };
    let problem = Problem::new(first.clone(), "every user of this machine can read the key in this file")
        .label(label)
        .help(format!("chmod o-rwx {file}"));
    problems.push(problem);
}
