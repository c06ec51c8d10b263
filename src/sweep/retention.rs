//! Which backups go and which stay: a pure function of what is there, what is to be kept, and the time.
//!
//! A backup survives if any rule holds it. One whose age cannot be known, dated in the future or not at all, survives
//! every policy; where there is no policy, everything goes.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{Backup, Keep, Reason, Verdict};

/// Decides about every backup; the answer is ordered newest first, ties by id, so it does not depend on the order in
/// which the server lists.
pub fn decide(inventory: &[Backup], keep: Option<&Keep>, now: Timestamp) -> Vec<Verdict> {
    let mut backups: Vec<&Backup> = inventory.iter().collect();
    // An id that is listed twice is one backup, as young as its youngest entry: only that one is decided about.
    backups.sort_by_key(|backup| (&backup.id, backup.created_on.is_some(), Reverse(backup.created_on)));
    backups.dedup_by_key(|backup| &backup.id);
    // What has no date comes first, and takes no place among the newest.
    backups.sort_by_key(|backup| (backup.created_on.is_some(), Reverse(backup.created_on), &backup.id));
    let undated = backups.iter().take_while(|backup| backup.created_on.is_none()).count();
    let ranks = backups.iter().enumerate().map(|(place, _)| place.saturating_sub(undated) + 1);
    let verdicts = backups.iter().zip(ranks).map(|(backup, rank)| Verdict {
        backup: (*backup).clone(),
        reason: keep.map_or(Reason::NoRetention, |keep| reason(backup, rank, keep, now)),
    });
    verdicts.collect()
}

/// The reason for one backup; `rank` is its place among those with a date, 1 for the newest.
fn reason(backup: &Backup, rank: usize, keep: &Keep, now: Timestamp) -> Reason {
    let Some(created) = backup.created_on else { return Reason::NoDate };
    if created > now {
        return Reason::Future;
    }
    let rank = u32::try_from(rank).unwrap_or(u32::MAX);
    if let Some(last) = keep.last().filter(|last| rank <= last.get()) {
        return Reason::Newest { rank, last };
    }
    let age = now.duration_since(created);
    let young = |span| SignedDuration::try_from(span).map_or(true, |span| age < span);
    match keep.within() {
        Some(span) if young(span) => Reason::Young(span),
        within => Reason::Released { last: keep.last(), within },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::num::NonZeroU32;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::BackupId;

    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn backup(id: &str, age: Option<i64>) -> Backup {
        Backup {
            id: BackupId::new(id),
            file_name: String::new(),
            storage: None,
            created_on: age.map(|age| Timestamp::from_second(NOW - age).unwrap()),
        }
    }

    fn keep(last: u32, within: u64) -> Option<Keep> {
        Keep::new(NonZeroU32::new(last), (within > 0).then_some(Duration::from_secs(within)))
    }

    fn gone(verdicts: &[Verdict]) -> BTreeSet<BackupId> {
        verdicts
            .iter()
            .filter(|verdict| verdict.reason.goes())
            .map(|verdict| verdict.backup.id.clone())
            .collect()
    }

    /// Few distinct ages, so that ties are common; some in the future, some without a date.
    fn inventory() -> impl Strategy<Value = Vec<Backup>> {
        let age = prop_oneof![8 => (-3_i64..40).prop_map(|age| Some(age * 10)), 1 => Just(None)];
        prop::collection::vec(age, 0..30).prop_map(|ages| {
            ages.into_iter().enumerate().map(|(n, age)| backup(&format!("{n:02}"), age)).collect()
        })
    }

    proptest! {
        #[test]
        fn the_newest_are_never_removed(all in inventory(), last in 1_u32..10, within in 0_u64..300) {
            let gone = gone(&decide(&all, keep(last, within).as_ref(), now()));
            let mut dated: Vec<_> = all.iter().filter(|backup| backup.created_on.is_some()).collect();
            dated.sort_by_key(|backup| (Reverse(backup.created_on), backup.id.clone()));
            for backup in dated.iter().take(last as usize) {
                prop_assert!(!gone.contains(&backup.id));
            }
        }

        #[test]
        fn nothing_younger_than_the_span_is_removed(all in inventory(), last in 0_u32..10, within in 1_u64..300) {
            let gone = gone(&decide(&all, keep(last, within).as_ref(), now()));
            for backup in &all {
                let age = backup.created_on.map(|at| now().duration_since(at).as_secs());
                if age.is_none_or(|age| age < i64::try_from(within).unwrap()) {
                    prop_assert!(!gone.contains(&backup.id));
                } else if last == 0 {
                    prop_assert!(gone.contains(&backup.id), "and what is older is");
                }
            }
        }

        #[test]
        fn more_keep_never_removes_more(
            all in inventory(), last in 0_u32..10, more_last in 0_u32..5, within in 0_u64..300, more_within in 0_u64..100,
        ) {
            let less = gone(&decide(&all, keep(last, within).as_ref(), now()));
            let more = keep(last + more_last, within + more_within);
            prop_assert!(gone(&decide(&all, more.as_ref(), now())).is_subset(&less));
        }

        #[test]
        fn the_order_of_the_list_does_not_matter(all in inventory().prop_shuffle(), last in 0_u32..10, within in 0_u64..300) {
            let mut sorted = all.clone();
            sorted.sort_by(|a, b| a.id.cmp(&b.id));
            let keep = keep(last, within);
            prop_assert_eq!(decide(&all, keep.as_ref(), now()), decide(&sorted, keep.as_ref(), now()));
        }

        #[test]
        fn every_backup_has_exactly_one_verdict(all in inventory(), last in 0_u32..10, within in 0_u64..300) {
            let verdicts = decide(&all, keep(last, within).as_ref(), now());
            let by_id: BTreeMap<_, _> = verdicts.iter().map(|v| (v.backup.id.clone(), v.reason)).collect();
            prop_assert_eq!((by_id.len(), verdicts.len()), (all.len(), all.len()));
        }
    }

    #[test]
    fn ties_are_broken_by_id() {
        let all = [backup("b", Some(10)), backup("a", Some(10)), backup("c", Some(10))];
        assert_eq!(gone(&decide(&all, keep(1, 0).as_ref(), now())), ["b", "c"].map(BackupId::new).into());
    }

    #[test]
    fn a_backup_from_the_future_counts_as_newest_and_one_without_a_date_does_not_count() {
        let all = [backup("future", Some(-60)), backup("old", Some(60)), backup("undated", None)];
        assert_eq!(gone(&decide(&all, keep(1, 0).as_ref(), now())), [BackupId::new("old")].into());
        let all = [backup("old", Some(60)), backup("undated", None)];
        assert!(gone(&decide(&all, keep(1, 0).as_ref(), now())).is_empty());
    }

    #[test]
    fn an_id_that_is_listed_twice_is_one_backup_and_as_young_as_it_gets() {
        let all = [backup("a", Some(90)), backup("b", Some(50)), backup("a", Some(1))];
        let verdicts = decide(&all, keep(1, 0).as_ref(), now());
        assert_eq!((verdicts.len(), gone(&verdicts)), (2, [BackupId::new("b")].into()));
    }

    #[test]
    fn the_span_ends_sharply() {
        let all = [backup("just", Some(99)), backup("over", Some(100))];
        assert_eq!(gone(&decide(&all, keep(0, 100).as_ref(), now())), [BackupId::new("over")].into());
    }

    #[test]
    fn without_a_policy_everything_goes() {
        let all = [backup("future", Some(-60)), backup("undated", None), backup("old", Some(1))];
        assert_eq!(gone(&decide(&all, None, now())).len(), 3);
    }
}
