//! How long to wait before trying again, and the one loop that does it.
//!
//! [`backoff`] is pure: the same generator gives the same waits. [`retry`] drives an [`Operation`] until it is done,
//! gives up, runs out of attempts or of time, or is told to stop; a wait ends at once on a stop. It knows nothing of
//! what is tried, and it is the only layer that tries again.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::RetryPolicy;

/// How work is told to end: first asked to, then cut.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Begin nothing new; waits end at once.
    pub soft: CancellationToken,
    /// Drop whatever still runs.
    pub hard: CancellationToken,
}

/// What an error means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Another attempt would end the same way.
    GiveUp,
    /// Try again after a backoff.
    Backoff,
    /// Try again after at least this long, with the backoff on top as jitter.
    AtLeast(Duration),
    /// Try again once after this long; the second such error gives up.
    Once(Duration),
    /// The other side is busy: ask again after about this long, as often as the time allows. Not counted as an attempt.
    Patience(Duration),
}

/// Something that is tried until it is done.
pub trait Operation: Send {
    /// What it comes to.
    type Done: Send;
    /// What one attempt can fail with.
    type Error: Send;

    /// One attempt.
    fn attempt(&mut self) -> impl Future<Output = Result<Self::Done, Self::Error>> + Send;

    /// What an error means.
    fn disposition(&self, error: &Self::Error) -> Disposition;

    /// Called before each wait.
    fn waiting(&mut self, error: &Self::Error, wait: Duration);
}

/// Why there was no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The error's disposition allowed none.
    GaveUp,
    /// The policy's attempts were used up.
    Attempts,
    /// The next attempt would have begun too late.
    Deadline,
    /// A stop was asked for.
    Stopped,
}

/// The upper bound of the wait after attempt `attempt` (1 is the first): it doubles up to the policy's maximum.
pub fn ceiling(policy: &RetryPolicy, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    policy.initial_backoff.saturating_mul(1_u32 << doublings).min(policy.max_backoff)
}

/// The wait after attempt `attempt`: full jitter, anything from nothing to [`ceiling`], so that portals which failed
/// together do not come back together.
pub fn backoff(policy: &RetryPolicy, attempt: u32, rng: &mut fastrand::Rng) -> Duration {
    ceiling(policy, attempt).mul_f64(rng.f64())
}

/// The wait that an error asks for; `None` is no further attempt.
fn wait(
    disposition: Disposition,
    policy: &RetryPolicy,
    tried: &Tried,
    rng: &mut fastrand::Rng,
) -> Result<Duration, Ended> {
    let counted = |wait: Duration| match tried.counted < policy.max_attempts.get() {
        true => Ok(wait),
        false => Err(Ended::Attempts),
    };
    match disposition {
        Disposition::GiveUp => Err(Ended::GaveUp),
        Disposition::Backoff => counted(backoff(policy, tried.counted, rng)),
        Disposition::AtLeast(least) => counted(least.saturating_add(backoff(policy, tried.counted, rng))),
        Disposition::Once(_) if tried.once > 1 => Err(Ended::GaveUp),
        Disposition::Once(wait) => counted(wait),
        // Half of the wait as jitter: portals of one server are often busy for the same reason.
        Disposition::Patience(wait) => Ok(wait.saturating_add(wait.mul_f64(rng.f64() / 2.0))),
    }
}

/// What has been tried so far.
#[derive(Debug, Default)]
struct Tried {
    counted: u32,
    once: u32,
}

/// Tries `operation` by `policy`. No wait goes past `end`: where the next attempt would begin later, this one was the
/// last. An attempt in progress is not cut here; the operation sees to that itself.
pub async fn retry<O: Operation>(
    operation: &mut O,
    policy: &RetryPolicy,
    end: Instant,
    stop: &CancellationToken,
    rng: &mut fastrand::Rng,
) -> Result<O::Done, (O::Error, Ended)> {
    let mut tried = Tried::default();
    loop {
        let error = match operation.attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let disposition = operation.disposition(&error);
        tried.counted += u32::from(!matches!(disposition, Disposition::Patience(_)));
        tried.once += u32::from(matches!(disposition, Disposition::Once(_)));
        let delay = match wait(disposition, policy, &tried, rng) {
            Ok(delay) => delay,
            Err(ended) => return Err((error, ended)),
        };
        if stop.is_cancelled() {
            return Err((error, Ended::Stopped));
        }
        if Instant::now().checked_add(delay).is_none_or(|begin| begin >= end) {
            return Err((error, Ended::Deadline));
        }
        operation.waiting(&error, delay);
        tokio::select! {
            () = stop.cancelled() => return Err((error, Ended::Stopped)),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn policy(max_attempts: u32, initial_ms: u64, max_ms: u64) -> RetryPolicy {
        RetryPolicy {
            max_attempts: NonZeroU32::new(max_attempts).unwrap(),
            initial_backoff: Duration::from_millis(initial_ms),
            max_backoff: Duration::from_millis(max_ms),
            deadline: Duration::from_secs(3600),
        }
    }

    proptest! {
        #[test]
        fn a_wait_never_exceeds_its_ceiling_nor_the_maximum(
            initial in 1_u64..100_000, extra in 0_u64..10_000_000, attempt in 1_u32..1_000, seed: u64,
        ) {
            let policy = policy(5, initial, initial + extra);
            let delay = backoff(&policy, attempt, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(delay <= ceiling(&policy, attempt));
            prop_assert!(ceiling(&policy, attempt) <= policy.max_backoff);
            prop_assert!(ceiling(&policy, attempt) >= policy.initial_backoff.min(policy.max_backoff));
            prop_assert!(ceiling(&policy, attempt + 1) >= ceiling(&policy, attempt));
            if ceiling(&policy, attempt + 1) < policy.max_backoff {
                prop_assert_eq!(ceiling(&policy, attempt + 1), ceiling(&policy, attempt) * 2);
            }
        }
    }

    #[test]
    fn the_jitter_is_full() {
        let (policy, mut rng) = (policy(5, 1_000, 60_000), fastrand::Rng::with_seed(7));
        let waits: Vec<_> = (0..1_000).map(|_| backoff(&policy, 3, &mut rng)).collect();
        assert!(waits.iter().any(|w| *w < Duration::from_millis(400)), "near nothing");
        assert!(waits.iter().any(|w| *w > Duration::from_millis(3_600)), "near the ceiling of 4 s");
    }

    /// Fails with the given dispositions, one after the other, then is done.
    struct Script {
        dispositions: Vec<Disposition>,
        attempts: usize,
        waits: Vec<Duration>,
    }

    impl Script {
        fn new(dispositions: &[Disposition]) -> Self {
            Self { dispositions: dispositions.to_vec(), attempts: 0, waits: Vec::new() }
        }
    }

    impl Operation for Script {
        type Done = ();
        type Error = Disposition;

        async fn attempt(&mut self) -> Result<(), Disposition> {
            self.attempts += 1;
            self.dispositions.get(self.attempts - 1).map_or(Ok(()), |d| Err(*d))
        }

        fn disposition(&self, error: &Disposition) -> Disposition {
            *error
        }

        fn waiting(&mut self, _: &Disposition, wait: Duration) {
            self.waits.push(wait);
        }
    }

    async fn run(script: &mut Script, policy: &RetryPolicy, within: Duration) -> Result<(), Ended> {
        let stop = CancellationToken::new();
        let mut rng = fastrand::Rng::with_seed(1);
        retry(script, policy, Instant::now() + within, &stop, &mut rng).await.map_err(|(_, ended)| ended)
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn attempts_are_counted_and_waits_are_slept() {
        let began = Instant::now();
        let mut script = Script::new(&[Disposition::Backoff; 9]);
        assert_eq!(run(&mut script, &policy(5, 1_000, 60_000), HOUR).await, Err(Ended::Attempts));
        assert_eq!((script.attempts, script.waits.len()), (5, 4));
        let slept: Duration = script.waits.iter().sum();
        // tokio's timer has a grain of 1 ms a wait.
        assert!((began.elapsed().saturating_sub(slept)) <= Duration::from_millis(4));
    }

    #[tokio::test(start_paused = true)]
    async fn once_is_once_and_patience_is_free() {
        let mut script = Script::new(&[Disposition::Once(Duration::from_secs(30)); 3]);
        assert_eq!(run(&mut script, &policy(9, 1, 1), HOUR).await, Err(Ended::GaveUp));
        assert_eq!(script.waits, [Duration::from_secs(30)]);

        let mut script = Script::new(&[Disposition::Patience(Duration::from_secs(60)); 20]);
        assert_eq!(run(&mut script, &policy(1, 1, 1), HOUR).await, Ok(()));
        assert!(script.waits.iter().all(|w| (60..=90).contains(&w.as_secs())), "{:?}", script.waits);
    }

    #[tokio::test(start_paused = true)]
    async fn no_wait_goes_past_the_end() {
        let began = Instant::now();
        let mut script = Script::new(&[Disposition::AtLeast(Duration::from_secs(600)); 20]);
        assert_eq!(run(&mut script, &policy(20, 1, 1), HOUR).await, Err(Ended::Deadline));
        assert!(began.elapsed() < HOUR);
        assert_eq!(script.attempts, 6, "at 0, 10, 20, 30, 40 and 50 minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait_at_once() {
        let (began, stop) = (Instant::now(), CancellationToken::new());
        let mut script = Script::new(&[Disposition::AtLeast(HOUR); 2]);
        let (policy, mut rng) = (policy(5, 1, 1), fastrand::Rng::with_seed(1));
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.cancel();
        };
        let running = retry(&mut script, &policy, began + 3 * HOUR, &stop, &mut rng);
        let (ended, ()) = tokio::join!(running, stopping);
        assert_eq!(ended.map_err(|(_, ended)| ended), Err(Ended::Stopped));
        assert!(began.elapsed() < Duration::from_secs(6));
    }
}
