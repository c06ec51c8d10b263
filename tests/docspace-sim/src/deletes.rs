//! The two delete calls: the one that swallows every error (§2.1) and the honest one (§2.4).
//!
//! Both flag first and delete then; a flagged record whose file stayed is an orphan for good, unless
//! the honest call is repeated for its id.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::answer::{Answer, Exception};
use crate::backups::Visit;
use crate::core::Core;
use crate::pipeline::Context;
use crate::state::{DUMPS, State};
use crate::wire::Head;

/// §2.1: all records of exactly one tenant, one by one; always 200 and true.
pub(crate) async fn all(core: &Arc<Core>, context: &Context, head: &Head) -> Answer {
    // §2.1 no. 2: `Dump` means the dumps only, never "also".
    let tenant = if context.dump == Some(true) { DUMPS } else { context.tenant };
    let (ids, pace) = {
        let state = core.lock();
        let pace = state.portal(context.portal).map_or(Duration::ZERO, |portal| portal.pace);
        (state.listed(tenant), pace)
    };
    let mut visit = Visit::default();
    for id in ids {
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        core.edit(|state| flag_and_delete(state, &mut visit, id));
    }
    Answer::success(head, Some(json!(true)))
}

/// One round of the loop. §2.1 no. 5: every exception is swallowed, a failed flag included.
fn flag_and_delete(state: &mut State, visit: &mut Visit, id: Uuid) {
    let Some(row) = state.row_mut(id) else { return };
    if row.flag_fails {
        return;
    }
    row.removed = true;
    let row = row.clone();
    if let Ok(Some(store)) = visit.open(state, &row)
        && store.delete(state, &row).is_err()
    {
        // The real server logs a warning here and goes on with the next record.
    }
}

/// §2.4: one record; errors propagate, and a record removed already is tried again.
pub(crate) fn one(state: &mut State, context: &Context, head: &Head, id: Uuid) -> Answer {
    let done = Answer::success(head, Some(json!(true)));
    let Some(row) = state.row(id).cloned() else {
        let message = "Object reference not set to an instance of an object.";
        return Answer::exception(500, &Exception::new("System.NullReferenceException", message));
    };
    // §2.2: no tenant check up to 3.0.4; the first one made dumps a no-op until 3.2.1.
    let ours = row.tenant == context.tenant || (row.tenant == DUMPS && state.since(3, 2, 1));
    if state.since(3, 1, 0) && !ours {
        return done;
    }
    if row.flag_fails {
        let message = "An error occurred while saving the entity changes.";
        let kind = "Microsoft.EntityFrameworkCore.DbUpdateException";
        return Answer::exception(500, &Exception::new(kind, message));
    }
    if let Some(row) = state.row_mut(id) {
        row.removed = true;
    }
    let deleted = Visit::default().open(state, &row).and_then(|store| match store {
        Some(store) => store.delete(state, &row),
        None => Ok(()),
    });
    match deleted {
        Ok(()) => done,
        Err(failure) => failure.answer(),
    }
}
