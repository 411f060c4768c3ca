//! Who may use the cores now.
//!
//! One job computes at a time, on all cores: two that compute at once slow each other by more
//! than half, because the threads of a step wait for each other in every layer. Long jobs are
//! cut into steps and call [`Turn::checkpoint`] between them, where a more urgent one goes
//! first.
//!
//! Voice activity is not scheduled at all: a frame of 32 ms costs a fifth of a millisecond,
//! and must be heard while a prompt is read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Most urgent first. What a person waits for with an open mouth comes before what they wait
/// for in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    EndOfTurn,
    SpeechToText,
    TextToSpeech,
    /// What was said while the agent works, and what it is for: somebody waits for a word.
    Route,
    Agent,
    /// What nobody waits for yet.
    Ahead,
}

/// Set when nobody wants the result any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicBool>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancelled;

#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    /// Held for a few instructions, never while a model computes.
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    busy: bool,
    waiting: BTreeSet<Ticket>,
    tickets: u64,
}

/// Ordered by urgency, then by arrival.
type Ticket = (Priority, u64);

/// The cores, until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'s> {
    scheduler: &'s Scheduler,
    ticket: Ticket,
    cancel: Cancel,
    /// False after it was cancelled while it let others go first.
    held: bool,
}

impl Scheduler {
    /// Waits until the cores are free and nobody more urgent waits for them.
    pub(crate) fn enter(&self, priority: Priority, cancel: &Cancel) -> Result<Turn<'_>, Cancelled> {
        let mut queue = self.lock();
        queue.tickets += 1;
        let ticket = (priority, queue.tickets);
        self.wait(queue, ticket, cancel)?;
        Ok(Turn { scheduler: self, ticket, cancel: cancel.clone(), held: true })
    }

    /// Cancels a job, wherever it waits.
    pub(crate) fn cancel(&self, cancel: &Cancel) {
        cancel.0.store(true, Ordering::Release);
        // Under the lock, so that nobody looks at the flag before it is set and sleeps after.
        drop(self.lock());
        self.changed.notify_all();
    }

    fn wait(
        &self,
        mut queue: MutexGuard<'_, Queue>,
        ticket: Ticket,
        cancel: &Cancel,
    ) -> Result<(), Cancelled> {
        queue.waiting.insert(ticket);
        self.changed.notify_all();
        loop {
            if cancel.is_set() {
                queue.waiting.remove(&ticket);
                self.changed.notify_all();
                return Err(Cancelled);
            }
            if !queue.busy && queue.waiting.first() == Some(&ticket) {
                queue.waiting.remove(&ticket);
                queue.busy = true;
                return Ok(());
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Between two steps: lets more urgent jobs go first, all of them, and comes back before
    /// everybody else of its own kind.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Cancelled> {
        if self.cancel.is_set() || !self.held {
            return Err(Cancelled);
        }
        let mut queue = self.scheduler.lock();
        if queue.waiting.first().is_none_or(|first| first.0 >= self.ticket.0) {
            return Ok(());
        }
        queue.busy = false;
        let back = self.scheduler.wait(queue, self.ticket, &self.cancel);
        self.held = back.is_ok();
        back
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.held {
            self.scheduler.lock().busy = false;
            self.scheduler.changed.notify_all();
        }
    }
}

impl Cancel {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    impl Scheduler {
        fn until_waiting(&self, jobs: usize) {
            let mut queue = self.lock();
            while queue.waiting.len() < jobs {
                queue = self.changed.wait(queue).unwrap();
            }
        }
    }

    /// While the agent computes, the others queue up; each step lets all of them go first.
    #[test]
    fn the_urgent_go_first_between_two_steps() {
        let scheduler = Scheduler::default();
        let (done, order) = mpsc::channel();
        thread::scope(|scope| {
            let mut agent = scheduler.enter(Priority::Agent, &Cancel::default()).unwrap();
            let jobs = [
                Priority::Ahead,
                Priority::Agent,
                Priority::Route,
                Priority::TextToSpeech,
                Priority::SpeechToText,
                Priority::EndOfTurn,
            ];
            for (waiting, priority) in jobs.into_iter().enumerate() {
                let (scheduler, done) = (&scheduler, done.clone());
                scope.spawn(move || {
                    let _turn = scheduler.enter(priority, &Cancel::default()).unwrap();
                    done.send((priority, "other")).unwrap();
                });
                scheduler.until_waiting(waiting + 1);
            }
            agent.checkpoint().unwrap();
            done.send((Priority::Agent, "first")).unwrap();
            // The other agent job is not more urgent: it waits for the end.
            agent.checkpoint().unwrap();
            done.send((Priority::Agent, "first")).unwrap();
        });
        drop(done);
        assert_eq!(
            order.iter().collect::<Vec<_>>(),
            [
                (Priority::EndOfTurn, "other"),
                (Priority::SpeechToText, "other"),
                (Priority::TextToSpeech, "other"),
                (Priority::Route, "other"),
                (Priority::Agent, "first"),
                (Priority::Agent, "first"),
                (Priority::Agent, "other"),
                (Priority::Ahead, "other"),
            ]
        );
    }

    /// However many urgent jobs come while the agent decodes, each waits for one step at most.
    #[test]
    fn an_urgent_job_waits_for_one_step() {
        let scheduler = Scheduler::default();
        let (step, steps) = mpsc::channel();
        thread::scope(|scope| {
            let mut agent = scheduler.enter(Priority::Agent, &Cancel::default()).unwrap();
            for round in 0..50 {
                let (scheduler, step) = (&scheduler, step.clone());
                scope.spawn(move || {
                    let _turn =
                        scheduler.enter(Priority::SpeechToText, &Cancel::default()).unwrap();
                    step.send(("speech", round)).unwrap();
                });
                scheduler.until_waiting(1);
                agent.checkpoint().unwrap();
            }
        });
        drop(step);
        assert_eq!(steps.iter().map(|it| it.1).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_cancelled_job_leaves_the_queue() {
        let scheduler = Scheduler::default();
        let cancel = Cancel::default();
        thread::scope(|scope| {
            let turn = scheduler.enter(Priority::Agent, &Cancel::default()).unwrap();
            let waiting = scope.spawn(|| scheduler.enter(Priority::EndOfTurn, &cancel).map(|_| ()));
            scheduler.until_waiting(1);
            scheduler.cancel(&cancel);
            assert_eq!(waiting.join().unwrap(), Err(Cancelled));
            drop(turn);
        });
        drop(scheduler.enter(Priority::Agent, &Cancel::default()).unwrap());
    }

    /// Cancelled while another had the cores: dropping the turn must not take them away.
    #[test]
    fn a_turn_cancelled_at_its_checkpoint_holds_nothing() {
        let scheduler = Scheduler::default();
        let cancel = Cancel::default();
        let (entered, has_entered) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let mut agent = scheduler.enter(Priority::Agent, &cancel).unwrap();
            let urgent = &scheduler;
            scope.spawn(move || {
                let _turn = urgent.enter(Priority::EndOfTurn, &Cancel::default()).unwrap();
                entered.send(()).unwrap();
                may_leave.recv().unwrap();
            });
            scheduler.until_waiting(1);
            let (scheduler, cancel) = (&scheduler, &cancel);
            scope.spawn(move || {
                has_entered.recv().unwrap();
                scheduler.until_waiting(1);
                scheduler.cancel(cancel);
            });
            assert_eq!(agent.checkpoint(), Err(Cancelled));
            assert_eq!(agent.checkpoint(), Err(Cancelled));
            drop(agent);
            assert!(scheduler.lock().busy);
            leave.send(()).unwrap();
        });
        assert!(!scheduler.lock().busy);
    }
}
