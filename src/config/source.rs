//! Where a key comes from, as the file says it, and the paths that the file names.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::known;
use super::problem::Problem;
use super::reader::{At, Field, Reader, Section};
use super::value::{Fault, quote, text};
use crate::keys::{ApiKey, ApiKeySource};

/// Reads `api_key`: a table with one source, or the key itself.
pub(super) fn api_key<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    folder: &Path,
) -> Field<ApiKeySource> {
    let Some(value) = section.get(known::API_KEY) else { return Field::Absent };
    if let DeValue::Table(table) = value.get_ref() {
        return source(reader, value, table, folder);
    }
    reader.read(section, known::API_KEY, |value| {
        let key = text(value, "a table such as { file = \"…\" }, or a string")?;
        ApiKey::new(key)
            .map(ApiKeySource::Literal)
            .map_err(|error| Fault::value(format!("this is no key: {error}")))
    })
}

fn source<'t>(
    reader: &mut Reader<'t>,
    value: &'t Spanned<DeValue<'t>>,
    table: &'t DeTable<'t>,
    folder: &Path,
) -> Field<ApiKeySource> {
    let before = reader.problems.len();
    let section = reader.open(known::KEY_TITLE, value.span(), table, known::KEY_SOURCE);
    let entries = section.entries();
    let mut sources =
        entries.iter().filter(|(key, ..)| known::KEY_SOURCE.iter().any(|known| known.name == *key));
    match (sources.next(), sources.next()) {
        (Some((first, at, _)), Some((second, other, _))) => {
            let message = format!("`api_key` names two sources, `{first}` and `{second}`");
            let problem = Problem::new(other.clone(), message)
                .label("a second source")
                .other(at.clone(), "the first one")
                .help("keep one of `file`, `env` and `credential`");
            reader.problems.push(problem);
            Field::Bad
        }
        (Some(_), None) => one_source(reader, &section, folder),
        // An unknown key has been reported: it is most likely the source that is missed here.
        (None, _) if reader.problems.len() > before => Field::Bad,
        (None, _) => {
            let problem = Problem::new(value.span(), "`api_key` names no source")
                .label("expected one of `file`, `env` and `credential`")
                .help("write, for example, `api_key = { file = \"/etc/docsweep/keys/acme\" }`");
            reader.problems.push(problem);
            Field::Bad
        }
    }
}

fn one_source<'t>(reader: &mut Reader<'t>, section: &Section<'t>, folder: &Path) -> Field<ApiKeySource> {
    let file = reader.read(section, "file", |value| Ok(ApiKeySource::File(path(value, folder)?)));
    let env = reader.read(section, "env", variable);
    let credential = reader.read(section, "credential", credential);
    let field = [file, env, credential].into_iter().find(|field| !matches!(field, Field::Absent));
    match field {
        Some(Field::Good(at)) => Field::Good(At { span: section.span.clone(), value: at.value }),
        _ => Field::Bad,
    }
}

fn variable(value: &DeValue<'_>) -> Result<ApiKeySource, Fault> {
    let name = text(value, "the name of an environment variable")?;
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    if name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
        return Ok(ApiKeySource::Env(name.to_owned()));
    }
    let fault = Fault::value("this is no name of an environment variable");
    Err(match name.strip_prefix('$') {
        Some(_) => fault.help("write the name alone, without `$`"),
        None => fault.help("write letters, digits and `_`, such as \"ACME_KEY\""),
    })
}

fn credential(value: &DeValue<'_>) -> Result<ApiKeySource, Fault> {
    let name = text(value, "the name of a systemd credential")?;
    let plain = name.chars().all(|c| c != '/' && !c.is_control());
    if plain && !matches!(name, "" | "." | "..") && name.len() <= 255 {
        return Ok(ApiKeySource::Credential(name.to_owned()));
    }
    Err(Fault::value(format!("{} is no name of a credential", quote(name)))
        .help("write the name that the unit's `LoadCredential=` gives it, without a path"))
}

/// A path; a relative one is taken relative to the configuration's folder.
pub(super) fn path(value: &DeValue<'_>, folder: &Path) -> Result<PathBuf, Fault> {
    let written = text(value, "a path")?;
    if written.is_empty() {
        return Err(Fault::value("the path is empty"));
    }
    if written.chars().any(char::is_control) {
        return Err(Fault::value(format!("the path {} holds a control character", quote(written))));
    }
    Ok(folder.join(written))
}
