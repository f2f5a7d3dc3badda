//! The load: clients in closed loops, each in a task of its own, and what is seen of them in a window of time.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::ValueEnum;
use futures::future::join_all;
use tokio::time::Instant;

use super::histogram::Histogram;
use super::usage;
use crate::cli::error::Error;
use crate::tasks::Tasks;

/// Before anything is counted, clients work for a fifth of the time that is, but not longer than this.
const MAX_WARM_UP: Duration = Duration::from_millis(500);

/// What a client does, one time after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Work {
    /// Waits until one more is durable
    Enqueue,
    /// Enqueues durably, claims, completes durably with an outcome
    Cycle,
}

impl Work {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Cycle => "cycle",
        }
    }
}

/// One that works.
pub(super) trait Client: Send + 'static {
    /// Does it once, and returns when it is done.
    fn work(&mut self, work: Work) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What was seen in the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    /// How long it was open.
    pub(super) window: Duration,
    /// What was done within it, second by second. The last second may be a part of one.
    pub(super) seconds: Vec<u64>,
    /// How long those took that began within it.
    pub(super) latency: Histogram,
    /// Processor time of this process.
    pub(super) cpu: Duration,
    /// Processor time of the one that it talks to, where that was asked for.
    pub(super) peer_cpu: Duration,
}

impl Measured {
    pub(super) fn count(&self) -> u64 {
        self.seconds.iter().sum()
    }

    pub(super) fn per_second(&self) -> f64 {
        per(self.count(), self.window.as_secs_f64())
    }

    pub(super) fn cpu_us_per_op(&self) -> f64 {
        per_op_us(self.cpu, self.count())
    }

    pub(super) fn peer_cpu_us_per_op(&self) -> f64 {
        per_op_us(self.peer_cpu, self.count())
    }
}

/// Microseconds of `time` for each of `count`; 0 where there is none.
fn per_op_us(time: Duration, count: u64) -> f64 {
    if count == 0 { 0.0 } else { time.as_secs_f64() * 1e6 / as_f64(count) }
}

/// `count` a `unit`.
fn per(count: u64, unit: f64) -> f64 {
    as_f64(count) / unit
}

/// Counts here stay far below 2^52, above which this would round.
#[expect(clippy::cast_precision_loss, reason = "said above")]
pub(super) const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Something that ends a window before its time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Has `clients` work until the window is over, and returns once each has ended what it was doing.
pub(super) async fn measured<C: Client>(
    clients: Vec<C>,
    work: Work,
    window: Duration,
    stop: &Stop,
) -> Result<Measured, Error> {
    measured_beside(clients, work, window, stop, || Duration::ZERO).await
}

/// The same, with the processor time of another process, which `peer_cpu` tells.
pub(super) async fn measured_beside<C: Client>(
    clients: Vec<C>,
    work: Work,
    window: Duration,
    stop: &Stop,
    peer_cpu: impl Fn() -> Duration,
) -> Result<Measured, Error> {
    let tasks = Tasks::default();
    let from = Instant::now() + MAX_WARM_UP.min(window / 5);
    let window = Arc::new(Window { from, until: from + window, first: OnceLock::new(), stop: stop.clone() });
    let clients = clients.into_iter().map(|client| {
        let task = looping(client, work, Arc::clone(&window));
        tasks.see_through("client", task)
    });
    let window = async {
        tokio::time::sleep_until(from).await;
        let (own, peer) = (usage::own_cpu(), peer_cpu());
        Measured {
            window: window.closed().await.saturating_duration_since(from),
            cpu: usage::own_cpu().saturating_sub(own),
            peer_cpu: peer_cpu().saturating_sub(peer),
            ..Measured::default()
        }
    };
    let (seen, mut sum) = futures::join!(join_all(clients), window);
    for seen in seen {
        let (seconds, latency) = seen.unwrap_or_else(|| Err(Error::Bench("a client panicked".to_owned())))?;
        if seconds.len() > sum.seconds.len() {
            sum.seconds.resize(seconds.len(), 0);
        }
        sum.seconds.iter_mut().zip(seconds).for_each(|(sum, more)| *sum += more);
        sum.latency.merge(&latency);
    }
    Ok(sum)
}

/// The time in which what is done counts. It stays open until something was done: a disk can stand still for longer than a
/// short one.
struct Window {
    from: Instant,
    until: Instant,
    /// When the first thing that was begun in it was done.
    first: OnceLock<Instant>,
    stop: Stop,
}

impl Window {
    fn is_open(&self, now: Instant) -> bool {
        !self.stop.is_stopped() && (now < self.until || self.first.get().is_none())
    }

    /// Whether what took from one moment to the other counts.
    fn counts(&self, began: Instant, ended: Instant) -> bool {
        let is_first = began >= self.from && *self.first.get_or_init(|| ended) == ended;
        ended >= self.from && (ended < self.until || is_first)
    }

    /// Waits until it is closed, and says when it was.
    async fn closed(&self) -> Instant {
        let mut now = Instant::now();
        while self.is_open(now) {
            let next = now + Duration::from_millis(100);
            tokio::time::sleep_until(if now < self.until { next.min(self.until) } else { next }).await;
            now = Instant::now();
        }
        self.first.get().map_or(self.until, |first| self.until.max(*first)).min(now)
    }
}

/// One client's loop. What it was doing when the window closed is seen in the times, not in the counts. The first
/// error ends it, and with it all the others.
async fn looping<C: Client>(mut client: C, work: Work, window: Arc<Window>) -> Result<(Vec<u64>, Histogram), Error> {
    let (mut seconds, mut latency) = (Vec::new(), Histogram::default());
    let mut began = Instant::now();
    while window.is_open(began) {
        if let Err(error) = client.work(work).await {
            window.stop.stop();
            return Err(error);
        }
        let ended = Instant::now();
        if began >= window.from {
            latency.add(ended - began);
        }
        if window.counts(began, ended) {
            let second = usize::try_from((ended - window.from).as_secs()).unwrap_or(usize::MAX);
            if second >= seconds.len() {
                seconds.resize(second + 1, 0);
            }
            seconds[second] += 1;
        }
        began = ended;
    }
    Ok((seconds, latency))
}

/// Has `clients` work `count` times in all, and gives them back.
pub(super) async fn repeated<C: Client>(clients: Vec<C>, work: Work, count: u64, stop: &Stop) -> Result<Vec<C>, Error> {
    let (tasks, begun) = (Tasks::default(), Arc::new(AtomicU64::new(0)));
    let clients = clients.into_iter().map(|mut client| {
        let (begun, stop) = (begun.clone(), stop.clone());
        tasks.see_through("client", async move {
            while begun.fetch_add(1, Ordering::Relaxed) < count && !stop.is_stopped() {
                if let Err(error) = client.work(work).await {
                    stop.stop();
                    return Err(error);
                }
            }
            Ok(client)
        })
    });
    let ended = join_all(clients).await.into_iter();
    ended.map(|client| client.unwrap_or_else(|| Err(Error::Bench("a client panicked".to_owned())))).collect()
}

/// The one in the middle; of an even number, the lower of the two.
pub(super) fn median<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    values.sort_by(order);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works for a tenth of a second, and fails at its n-th time.
    struct Slow {
        fails_in: u32,
    }

    impl Client for Slow {
        async fn work(&mut self, _: Work) -> Result<(), Error> {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.fails_in -= 1;
            if self.fails_in == 0 { Err(Error::Bench("on purpose".to_owned())) } else { Ok(()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_ends_in_the_window_is_counted() {
        let clients = vec![Slow { fails_in: 1_000 }, Slow { fails_in: 1_000 }];
        let measured = measured(clients, Work::Cycle, Duration::from_secs(2), &Stop::default()).await.unwrap();
        assert!((38..=40).contains(&measured.count()), "{measured:?}");
        assert_eq!(measured.window, Duration::from_secs(2));
        assert!((18.0..=20.0).contains(&measured.per_second()));
        assert!((100_000..102_000).contains(&measured.latency.per_mille_us(990)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_stays_open_until_something_was_done_in_it() {
        let clients = vec![Slow { fails_in: 1_000 }, Slow { fails_in: 1_000 }];
        let measured = measured(clients, Work::Cycle, Duration::from_millis(60), &Stop::default()).await.unwrap();
        assert!(measured.count() > 0 && measured.latency.per_mille_us(500) >= 100_000, "{measured:?}");
        assert!((100..200).contains(&measured.window.as_millis()), "{measured:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_error_ends_all_clients() {
        let clients = vec![Slow { fails_in: 1_000 }, Slow { fails_in: 3 }];
        let began = Instant::now();
        let error = measured(clients, Work::Cycle, Duration::from_secs(60), &Stop::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "on purpose");
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_repeated_as_often_as_was_said_by_all_clients_together() {
        let clients = vec![Slow { fails_in: 1_000 }, Slow { fails_in: 1_000 }];
        let clients = repeated(clients, Work::Enqueue, 100, &Stop::default()).await.unwrap();
        assert_eq!(clients.iter().map(|client| 1_000 - client.fails_in).sum::<u32>(), 100);
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![3, 1, 2], Ord::cmp), Some(2));
        assert_eq!(median(vec![4, 1, 2, 3], Ord::cmp), Some(2));
        assert_eq!(median(Vec::<u8>::new(), Ord::cmp), None);
    }
}
