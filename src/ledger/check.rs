//! What must hold in a ledger, checked by reading all of it.

use rusqlite::Connection;

use super::open::problems;

/// Our own rules: each statement yields one line for each row that breaks its rule, and none in a sound ledger.
const RULES: [&str; 6] = [
    "SELECT 'portal ' || portal || ': the slot ' || slot || ' has ' || count(*) || ' rows, from ' || min(id) || ' to '
            || max(id)
     FROM sweeps WHERE slot IS NOT NULL AND last_slot IS NULL
     GROUP BY portal, slot HAVING count(*) > count(DISTINCT dump) OR (count(*) > 1 AND max(dump = 'both'))",
    "SELECT 'portal ' || s.portal || ': its slots are accounted for up to ' || coalesce(p.accounted, 'no instant')
            || ', but there is a row for ' || max(coalesce(s.last_slot, s.slot))
     FROM sweeps s LEFT JOIN portals p ON p.portal = s.portal
     WHERE s.slot IS NOT NULL
     GROUP BY s.portal HAVING coalesce(p.accounted, '') < max(coalesce(s.last_slot, s.slot))",
    "SELECT 'portal ' || portal || ': ' || sum(counted) || ' sweeps ended as ' || outcome || ', but its rows make '
            || sum(held)
     FROM (SELECT portal, outcome, sweeps - pruned_sweeps AS counted, 0 AS held FROM totals
           UNION ALL
           SELECT portal, outcome, 0, coalesce(slots, 1) FROM sweeps WHERE outcome <> 'running')
     GROUP BY portal, outcome HAVING sum(counted) <> sum(held)",
    "SELECT 'portal ' || portal || ': ' || sum(counted) || ' backups were deleted as ' || outcome
            || ', but its rows make ' || sum(held)
     FROM (SELECT portal, outcome, deleted - pruned_deleted AS counted, 0 AS held FROM totals
           UNION ALL
           SELECT portal, outcome, 0, coalesce(deleted, 0) FROM sweeps WHERE outcome <> 'running')
     GROUP BY portal, outcome HAVING sum(counted) <> sum(held)",
    "SELECT 'portal ' || s.portal || ': sweep ' || s.sweep_id || ' runs, but its process is not the newest one'
     FROM sweeps s INDEXED BY sweeps_running
     WHERE s.ended IS NULL AND s.process < (SELECT max(id) FROM processes)",
    "SELECT 'row ' || id || ': ' || coalesce(slot, '') || ' ' || began || ' is no time'
     FROM sweeps
     WHERE began NOT GLOB '????-??-??T??:??:??.???Z' OR slot NOT GLOB '????-??-??T??:??:??.???Z'",
];

/// What SQLite's own checks and ours find; empty if all is well.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = problems(connection, "integrity_check(100)")?;
    if !found.is_empty() {
        // Our rules would read the damaged pages, and say less.
        return Ok(found);
    }
    let mut orphans = connection.prepare("PRAGMA foreign_key_check")?;
    let orphans = orphans.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} belongs to a row of {parent} that is not there"))
    })?;
    found.extend(orphans.collect::<Result<Vec<_>, _>>()?);
    for rule in RULES {
        let mut select = connection.prepare(rule)?;
        found.extend(select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?);
    }
    Ok(found)
}
