//! The queues by name, behind one lock: a message that moves from one queue to
//! another is at no moment in neither.

mod entry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanout_local_faults::Fault;
use uuid::Uuid;

use self::entry::Entry;
use super::move_task::MoveTasks;
use super::{Error, QueueAttributes, ReceiveOptions};
use crate::queue::ReceivedMessage;

#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: BTreeMap<String, Entry>,
    pub(super) move_tasks: MoveTasks,
}

impl Registry {
    pub(super) fn create(
        &mut self,
        name: &str,
        attributes: QueueAttributes,
        now: Duration,
    ) -> Result<(), Error> {
        if !is_queue_name(name) {
            return Err(Error::InvalidQueueName(name.to_owned()));
        }
        if let Some(entry) = self.entries.get(name) {
            let is_same = *entry.attributes() == attributes;
            let error = || Error::QueueNameExists(name.to_owned());
            return is_same.then_some(()).ok_or_else(error);
        }
        // Random, so that handles of an earlier queue of this name are refused.
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        let entry = Entry::new(name, attributes, seed, now);
        self.entries.insert(name.to_owned(), entry);
        self.apply_settings();
        Ok(())
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), Error> {
        let entry = self.entries.remove(name).ok_or_else(|| no_queue(name))?;
        entry.wake_receivers();
        self.apply_settings();
        Ok(())
    }

    pub(super) fn set_attributes(
        &mut self,
        name: &str,
        attributes: QueueAttributes,
        now: Duration,
    ) -> Result<(), Error> {
        self.entry_mut(name)?.set_attributes(attributes, now);
        self.apply_settings();
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    pub(super) fn dead_letter_sources(&self, name: &str) -> Result<Vec<String>, Error> {
        self.entry(name)?;
        let entries = self.entries.iter();
        let sources = entries.filter(|(_, entry)| entry.dead_letter_queue() == Some(name));
        Ok(sources.map(|(source, _)| source.clone()).collect())
    }

    pub(super) fn entry(&self, name: &str) -> Result<&Entry, Error> {
        self.entries.get(name).ok_or_else(|| no_queue(name))
    }

    pub(super) fn entry_mut(&mut self, name: &str) -> Result<&mut Entry, Error> {
        self.entries.get_mut(name).ok_or_else(|| no_queue(name))
    }

    /// Receives what is there, and moves what is dead to the dead-letter queue.
    pub(super) fn receive(
        &mut self,
        name: &str,
        now: Duration,
        options: ReceiveOptions,
        duplicates: &Fault,
        arn: impl FnOnce(&str) -> String,
    ) -> Result<Vec<ReceivedMessage>, Error> {
        let entry = self.entry_mut(name)?;
        let received = entry.receive(now, options, duplicates)?;
        let target = entry.dead_letter_queue().map(str::to_owned);
        if !received.dead.is_empty()
            && let Some(target) = target
        {
            let source: Arc<str> = Arc::from(arn(name));
            let target = self.entry_mut(&target)?;
            for mut dead in received.dead {
                tracing::debug!(queue = name, message_id = %dead.id, "message is dead");
                dead.dead_letter_source = Some(Arc::clone(&source));
                target.accept(now, dead);
            }
        }
        Ok(received.messages)
    }

    /// Hands every queue its settings: which of them apply depends on whether
    /// its dead-letter queue exists.
    fn apply_settings(&mut self) {
        let names: Vec<String> = self.entries.keys().cloned().collect();
        for entry in self.entries.values_mut() {
            let target = entry.dead_letter_queue();
            let has_target = target.is_some_and(|target| names.iter().any(|name| name == target));
            entry.apply_settings(has_target);
        }
    }
}

fn no_queue(name: &str) -> Error {
    Error::QueueDoesNotExist(name.to_owned())
}

fn is_queue_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=80).contains(&name.len()) && name.chars().all(is_allowed)
}
