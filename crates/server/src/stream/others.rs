//! A log that other processes append to as well: their events are followed and told, and where they
//! and this worker append at the same time they take turns.
//!
//! A batch is decided on what is known, and the append finds out whether that was all (I8). Once it
//! was not, the next batch waits for the stream's lock, and is decided on all there is: whoever
//! must read, fold and decide anew would else always come too late.

use twinstore_protocol::Seq;

use super::ask::Answer;
use super::batch::Broken;
use super::replica::Followed;
use super::{Output, Phase, Worker};
use crate::log::Log;

/// What a worker knows of others.
#[derive(Debug)]
pub(super) struct Others {
    /// Whether there may be any.
    pub(super) may_be: bool,
    /// The place up to which those who listen were told; none: nobody listens yet.
    pub(super) told: Option<Seq>,
    /// The farthest place that was heard of.
    pub(super) hinted: Seq,
    /// They append, too: the next batch waits for its turn.
    pub(super) busy: bool,
}

impl Others {
    pub(super) fn of(log: &dyn Log) -> Self {
        Self { may_be: log.is_shared(), told: None, hinted: Seq(0), busy: false }
    }
}

impl<T: Clone> Worker<T> {
    /// Others have appended up to there, as is said.
    pub(super) fn moved(&mut self, seq: Seq) {
        self.others.hinted = self.others.hinted.max(seq);
        self.hear();
    }

    /// Follows where something was heard of that is not known here.
    pub(super) fn hear(&mut self) {
        let at = match &self.phase {
            Phase::Ready(replica) | Phase::Locking(replica) => Some(replica.seq),
            Phase::Cold => self.others.told,
            // The outcome tells.
            Phase::Appending(..) | Phase::Halted => None,
        };
        if at.is_none_or(|at| at >= self.others.hinted) {
            return;
        }
        // Where it fails, whoever asks next is told so.
        let followed = if matches!(self.phase, Phase::Cold) { self.wake() } else { self.refresh() };
        if followed.is_ok() {
            self.others.hinted = Seq(0);
        }
    }

    /// Follows what others have appended, up to the head.
    pub(super) fn refresh(&mut self) -> Result<(), Answer> {
        if !self.others.may_be {
            return Ok(());
        }
        let (Phase::Ready(replica) | Phase::Locking(replica)) = &mut self.phase else {
            return Ok(());
        };
        match replica.follow(&self.config) {
            Ok(Followed::Commits(commits)) => {
                self.others.busy |= !commits.is_empty();
                self.others.told = Some(replica.seq);
                self.outputs.extend(commits.into_iter().map(Output::Publish));
                Ok(())
            }
            Ok(Followed::TooFar) => self.begin_anew(),
            Err(error) => {
                self.cannot_follow(&error);
                Err(Answer::Unavailable)
            }
        }
    }

    fn cannot_follow(&mut self, error: &Broken) {
        let (stream, error) = (&self.config.stream, error as &dyn std::error::Error);
        tracing::error!(%stream, error, "what others appended cannot be followed");
        self.give_up();
    }

    /// The state is dropped, and loaded when it is asked for.
    fn give_up(&mut self) {
        if matches!(std::mem::replace(&mut self.phase, Phase::Cold), Phase::Locking(_)) {
            self.outputs.push_back(Output::Unlock);
        }
    }

    /// Goes on from the head; those who listen must ask for what is between.
    fn begin_anew(&mut self) -> Result<(), Answer> {
        self.give_up();
        self.others.told = None;
        self.wake()?;
        if let Phase::Ready(replica) = &self.phase {
            self.outputs.push_back(Output::CutOff(replica.seq));
        }
        Ok(())
    }

    /// A state was loaded. Whoever listens is told what was appended since they were told last.
    pub(super) fn loaded(&mut self) -> Result<(), Answer> {
        let Phase::Ready(replica) = &self.phase else { return Ok(()) };
        match self.others.told {
            Some(told) if told == replica.seq => self.refresh(),
            Some(_) => {
                let head = replica.seq;
                self.others.told = Some(head);
                self.outputs.push_back(Output::CutOff(head));
                Ok(())
            }
            None => {
                self.others.told = Some(replica.seq).filter(|_| self.others.may_be);
                Ok(())
            }
        }
    }

    /// Decides what waits, where others append as well once it is this worker's turn.
    pub(super) fn submit(&mut self, now: u64) {
        if !self.others.busy {
            return self.batch(now, !self.others.may_be);
        }
        if let Phase::Ready(replica) = std::mem::replace(&mut self.phase, Phase::Cold) {
            self.phase = Phase::Locking(replica);
            self.outputs.push_back(Output::Lock);
        }
    }

    /// Nobody else appends before the next append, or [`Output::Unlock`].
    pub(super) fn locked(&mut self, now: u64) {
        match std::mem::replace(&mut self.phase, Phase::Cold) {
            Phase::Locking(replica) => self.phase = Phase::Ready(replica),
            // It was given up meanwhile.
            other => {
                self.phase = other;
                return self.outputs.push_back(Output::Unlock);
            }
        }
        self.others.busy = false;
        if self.refresh().is_ok() {
            self.batch(now, true);
        }
        if !matches!(self.phase, Phase::Appending(..)) {
            self.outputs.push_back(Output::Unlock);
        }
    }
}
