//! A queue and a plain model of it do the same, over random sequences of what can be done, of time that passes, and of
//! new processes. The model holds every message in a list, and looks at all of them each time.

use proptest::prelude::*;

use super::*;
use crate::messaging::queues::Receipt;

#[derive(Clone, Debug)]
enum Step {
    Send { delay_s: u8, group: u8 },
    Receive { most: u8, visibility_s: u8 },
    Delete { which: u8 },
    Change { which: u8, visibility_s: u8 },
    Pass { seconds: u8 },
    Purge,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..20, 0u8..3).prop_map(|(delay, group)| Step::Send { delay_s: delay.saturating_sub(12), group }),
        6 => (1u8..5, 0u8..12).prop_map(|(most, visibility_s)| Step::Receive { most, visibility_s }),
        3 => any::<u8>().prop_map(|which| Step::Delete { which }),
        2 => (any::<u8>(), 0u8..12).prop_map(|(which, visibility_s)| Step::Change { which, visibility_s }),
        4 => (1u8..10).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Pass { seconds: 61 }),
        1 => Just(Step::Purge),
        1 => Just(Step::Restart),
    ]
}

/// How often a message is received before it is a dead letter.
const MOST: u32 = 3;
/// Seconds that a message is kept.
const RETENTION: u32 = 100;

/// A message of the model.
#[derive(Clone, Debug)]
struct Letter {
    body: String,
    group: u8,
    sent: u64,
    /// When it can be received.
    visible: u64,
    receives: u32,
    /// The last receive of it.
    receipt: Option<Receipt>,
}

/// The model: what is in the queue, and the bodies of dead letters.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    fifo: bool,
    letters: Vec<Letter>,
    /// Receipts of messages whose retention has ended, which are removed somewhat later.
    old: Vec<Receipt>,
    dead: Vec<String>,
}

impl Model {
    fn drop_old(&mut self) {
        let now = self.now;
        self.letters.retain(|letter| {
            let kept = letter.sent + u64::from(RETENTION) >= now;
            self.old.extend(letter.receipt.filter(|_| !kept));
            kept
        });
    }

    /// The bodies that a receive gives, and their receives.
    fn receive(&mut self, most: usize, visibility: u64) -> Vec<(String, u32)> {
        self.drop_old();
        let mut order: Vec<usize> =
            (0..self.letters.len()).filter(|at| self.letters[*at].visible <= self.now).collect();
        // In order of sending, or of the time since which it can be received.
        if !self.fifo {
            order.sort_by_key(|at| self.letters[*at].visible);
        }
        let closed: Vec<u8> =
            self.letters.iter().filter(|it| it.visible > self.now && it.receives > 0).map(|it| it.group).collect();
        let (mut taken, mut gone) = (Vec::new(), Vec::new());
        for at in order {
            if taken.len() == most {
                break;
            }
            let letter = &mut self.letters[at];
            if self.fifo && closed.contains(&letter.group) {
                continue;
            }
            if letter.receives >= MOST {
                self.dead.push(letter.body.clone());
                gone.push(at);
                continue;
            }
            letter.receives += 1;
            letter.visible = self.now + visibility;
            taken.push((letter.body.clone(), letter.receives));
        }
        gone.sort_unstable();
        gone.into_iter().rev().for_each(|at| drop(self.letters.remove(at)));
        taken
    }
}

/// A queue and its model, to which the same happens.
struct Both {
    world: World,
    queue: QueuePath,
    dead: &'static str,
    model: Model,
    /// Every receipt that was given.
    receipts: Vec<Receipt>,
}

impl Both {
    async fn new(fifo: bool) -> Self {
        let world = World::new().await;
        let (name, dead) = if fifo { ("q.fifo", "dead.fifo") } else { ("q", "dead") };
        world.make(dead, QueueSettings { retention_s: 1_209_600, ..usual() }).await;
        world.make(name, QueueSettings { retention_s: RETENTION, ..dead_after(dead, MOST) }).await;
        let model = Model { fifo, ..Model::default() };
        Self { world, queue: path(name), dead, model, receipts: Vec::new() }
    }

    /// Carries out the step at this place of the sequence, and compares what both give.
    async fn takes(mut self, at: usize, step: Step) -> Self {
        match step {
            Step::Send { delay_s, group } => self.send(at.to_string(), delay_s, group).await,
            Step::Receive { most, visibility_s } => self.receive(at, most, visibility_s).await,
            Step::Delete { which } => self.delete(which).await,
            Step::Change { which, visibility_s } => self.change(at, which, visibility_s).await,
            Step::Pass { seconds } => self.passes(seconds.into()).await,
            Step::Purge => {
                self.world.queues.purge(&self.queue).await.unwrap();
                self.model.letters.clear();
            }
            Step::Restart => self.world = self.world.reopened().await,
        }
        self
    }

    async fn passes(&mut self, seconds: u64) {
        pass(seconds).await;
        self.model.now += seconds;
    }

    async fn send(&mut self, body: String, delay_s: u8, group: u8) {
        let (fifo, sent) = (self.model.fifo, self.model.now);
        let outgoing = Outgoing {
            group: fifo.then(|| group.to_string()),
            deduplication: fifo.then(|| body.clone()),
            delay_s: (!fifo).then_some(delay_s.into()),
            ..said(&body)
        };
        self.world.queues.send(&self.queue, outgoing).await.unwrap();
        let visible = if fifo { sent } else { sent + u64::from(delay_s) };
        self.model.letters.push(Letter { body, group, sent, visible, receives: 0, receipt: None });
    }

    async fn receive(&mut self, at: usize, most: u8, visibility_s: u8) {
        let asked = Asked { most: most.into(), visibility_s: Some(visibility_s.into()), wait_s: None };
        let received = self.world.queues.receive(&self.queue, asked).await.unwrap();
        let expected = self.model.receive(most.into(), visibility_s.into());
        let found: Vec<_> = received.iter().map(|it| (it.body.clone(), it.receives)).collect();
        assert_eq!(found, expected, "step {at}: {:?}", self.model);
        for message in received {
            self.receipts.push(message.receipt);
            let letter = self.model.letters.iter_mut().find(|it| it.body == message.body).unwrap();
            letter.receipt = Some(message.receipt);
        }
    }

    async fn delete(&mut self, which: u8) {
        let Some(receipt) = pick(&self.receipts, which) else { return };
        let model = &mut self.model;
        model.drop_old();
        let found = model.letters.iter().position(|it| it.receipt == Some(receipt));
        let deleted = self.world.queues.delete(&self.queue, receipt).await;
        match found {
            Some(at) if !model.fifo || model.letters[at].visible > model.now => {
                deleted.unwrap();
                model.letters.remove(at);
            }
            _ => assert!(model.fifo || deleted.is_ok(), "{deleted:?}"),
        }
    }

    async fn change(&mut self, at: usize, which: u8, visibility_s: u8) {
        let Some(receipt) = pick(&self.receipts, which) else { return };
        let changed = self.world.queues.change_visibility(&self.queue, receipt, visibility_s.into()).await;
        let model = &mut self.model;
        model.drop_old();
        if model.old.contains(&receipt) {
            return; // it may fly until somebody has looked
        }
        let now = model.now;
        let flies = |it: &&mut Letter| it.receipt == Some(receipt) && it.visible > now;
        match model.letters.iter_mut().find(flies) {
            Some(letter) => {
                changed.unwrap();
                letter.visible = now + u64::from(visibility_s);
            }
            None => assert!(changed.is_err(), "step {at}: {model:?}"),
        }
    }

    /// At the end both hold the same, and nothing else is kept.
    async fn settle(mut self) {
        self.passes(65).await; // whoever cleans up has been there
        let Self { world, queue, dead, mut model, .. } = self;
        model.drop_old();
        let figures = world.queues.figures(&queue).await.unwrap();
        let bytes: usize = model.letters.iter().map(|it| it.body.len()).sum();
        let held = figures.visible + figures.in_flight + figures.delayed;
        // What is cleaned up each minute may have grown too old since.
        assert!(held >= model.letters.len() as u64, "{figures:?} {model:?}");
        assert!(figures.bytes >= bytes as u64);
        let mut letters = Vec::new();
        loop {
            let page = world.bodies(dead, 100).await;
            if page.is_empty() {
                break;
            }
            letters.extend(page);
            pass(1).await;
        }
        letters.sort();
        model.dead.sort();
        assert_eq!(letters, model.dead);
        world.queues.purge(&queue).await.unwrap();
        world.queues.purge(&path(dead)).await.unwrap();
        pass(400).await;
        assert_eq!(world.documents().await, 2, "more is left than the count of each queue");
    }
}

/// Carries out `steps` on both and compares what they give.
async fn compare(fifo: bool, steps: Vec<Step>) {
    let mut both = Both::new(fifo).await;
    for (at, step) in steps.into_iter().enumerate() {
        // Whatever is done takes a moment: no two messages can be received since the same one.
        both.passes(1).await;
        both = both.takes(at, step).await;
    }
    both.settle().await;
}

fn pick(receipts: &[Receipt], which: u8) -> Option<Receipt> {
    let last = receipts.len().checked_sub(1)?;
    Some(receipts[last - usize::from(which) % receipts.len().min(6)])
}

fn in_time(fifo: bool, steps: Vec<Step>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(compare(fifo, steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_standard_queue_does_what_its_model_does(steps in proptest::collection::vec(step(), 1..80)) {
        in_time(false, steps);
    }

    #[test]
    fn a_fifo_queue_does_what_its_model_does(steps in proptest::collection::vec(step(), 1..80)) {
        in_time(true, steps);
    }
}
