//! The slots that were handed out, as runs of consecutive slots.
//!
//! A clock that is set back passes through the same slots again: those in here are not handed out twice. Slots that
//! were only jumped over are not in here, so they come due when the clock really reaches them.

use jiff::{SignedDuration, Timestamp};

/// The most runs that are kept. A steady clock makes one; each jump or stall that loses a slot begins another.
const MAX_RUNS: usize = 16;

/// Disjoint runs of slots, in order of time.
#[derive(Debug, Default)]
pub(super) struct Covered(Vec<Run>);

/// Consecutive slots, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: Timestamp,
    last: Timestamp,
}

impl Covered {
    /// The last slot of the run that holds `slot`, if one does.
    pub(super) fn run_end(&self, slot: Timestamp) -> Option<Timestamp> {
        self.0.iter().find(|run| run.first <= slot && slot <= run.last).map(|run| run.last)
    }

    /// Adds a slot that no run holds. `next` gives the slot after a slot: runs with nothing between them become one.
    pub(super) fn insert(&mut self, slot: Timestamp, next: impl Fn(Timestamp) -> Option<Timestamp>) {
        let at = self.0.partition_point(|run| run.last < slot);
        self.0.insert(at, Run { first: slot, last: slot });
        self.0.dedup_by(|later, run| {
            let joined = next(run.last) == Some(later.first);
            if joined {
                run.last = later.last;
            }
            joined
        });
        if self.0.len() > MAX_RUNS {
            self.close_the_smallest_gap();
        }
    }

    /// Takes the slots of the smallest gap for handed out. It is seconds long on a host that stalls again and again;
    /// forgetting a run instead could repeat one.
    fn close_the_smallest_gap(&mut self) {
        let gap = |pair: &[Run]| match pair {
            [run, later] => later.first.duration_since(run.last),
            _ => SignedDuration::MAX,
        };
        let Some((at, _)) = self.0.windows(2).enumerate().min_by_key(|(_, pair)| gap(pair)) else { return };
        let later = self.0.remove(at + 1);
        if let Some(run) = self.0.get_mut(at) {
            run.last = later.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn every_ten(slot: Timestamp) -> Option<Timestamp> {
        Timestamp::from_second((slot.as_second() / 10 + 1) * 10).ok()
    }

    fn runs(slots: &[i64]) -> Vec<(i64, i64)> {
        let mut covered = Covered::default();
        for slot in slots {
            covered.insert(at(*slot), every_ten);
        }
        covered.0.iter().map(|run| (run.first.as_second(), run.last.as_second())).collect()
    }

    #[test]
    fn neighbours_join_in_any_order() {
        assert_eq!(runs(&[10, 20, 30]), [(10, 30)]);
        assert_eq!(runs(&[30, 10]), [(10, 10), (30, 30)]);
        assert_eq!(runs(&[30, 10, 20]), [(10, 30)]);
        assert_eq!(runs(&[10, 20, 50, 60, 40]), [(10, 20), (40, 60)]);
    }

    #[test]
    fn a_run_knows_its_end() {
        let mut covered = Covered::default();
        covered.insert(at(10), every_ten);
        covered.insert(at(20), every_ten);
        assert_eq!(
            [0, 10, 15, 20, 30].map(|slot| covered.run_end(at(slot))),
            [None, Some(at(20)), Some(at(20)), Some(at(20)), None]
        );
    }

    #[test]
    fn beyond_the_cap_the_smallest_gap_closes() {
        let mut slots: Vec<i64> = (0..16).map(|n| n * 1000).collect();
        slots.push(8020);
        let runs = runs(&slots);
        assert_eq!(runs.len(), MAX_RUNS);
        assert_eq!(runs[8], (8000, 8020));
        assert_eq!(runs[15], (15_000, 15_000));
    }
}
