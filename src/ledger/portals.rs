//! The statements about portals themselves: their marks and what is remembered of their retention.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::StoredPolicy;
use super::fault::Fault;
use super::text::{Time, Word};
use crate::domain::PortalName;

pub(super) fn accounted(connection: &Connection) -> Result<HashMap<PortalName, Timestamp>, Fault> {
    let mut select =
        connection.prepare("SELECT portal, accounted FROM portals WHERE accounted IS NOT NULL")?;
    let rows = select.query_map([], |row| {
        Ok((row.get::<_, Word<PortalName>>("portal")?.0, row.get::<_, Time>("accounted")?.0))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn begin(connection: &Connection, portals: &[PortalName], now: Timestamp) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO portals (portal, accounted) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET accounted = excluded.accounted WHERE accounted IS NULL",
    )?;
    for portal in portals {
        insert.execute(params![portal.as_str(), Time(now)])?;
    }
    Ok(())
}

pub(super) fn policies(connection: &Connection) -> Result<HashMap<PortalName, StoredPolicy>, Fault> {
    let mut select =
        connection.prepare("SELECT portal, keeps, confirmed FROM portals WHERE keeps IS NOT NULL")?;
    let rows = select.query_map([], |row| {
        let policy = StoredPolicy {
            keeps: row.get("keeps")?,
            confirmed: row.get::<_, Option<bool>>("confirmed")?.unwrap_or_default(),
        };
        Ok((row.get::<_, Word<PortalName>>("portal")?.0, policy))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn set_policies(
    connection: &Connection,
    policies: &[(PortalName, StoredPolicy)],
) -> Result<(), Fault> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO portals (portal, keeps, confirmed) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET keeps = excluded.keeps, confirmed = excluded.confirmed",
    )?;
    for (portal, policy) in policies {
        insert.execute(params![portal.as_str(), policy.keeps, policy.confirmed])?;
    }
    Ok(())
}
