//! The twin: hints in a map, with a switch to make them unreachable.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::BroadcastStream;

use super::{Entry, Hints, HintsError, Result};

/// Messages a slow subscriber may lag behind before it misses some.
const TOPIC_BACKLOG_MESSAGES: usize = 1_024;

/// Hints in memory. Expiry follows tokio's clock.
#[derive(Default)]
pub struct MemoryHints {
    values: Mutex<BTreeMap<String, (String, Instant)>>,
    lists: Mutex<HashMap<String, (VecDeque<String>, Instant)>>,
    sets: Mutex<HashMap<String, (HashSet<u64>, Instant)>>,
    topics: Mutex<HashMap<String, broadcast::Sender<Message>>>,
    down: AtomicBool,
}

/// What is published. `held` until every subscriber has asked for what follows.
#[derive(Clone)]
struct Message {
    text: String,
    held: Option<mpsc::Sender<Infallible>>,
}

impl MemoryHints {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every call fails from now on.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// Forgets everything, as FLUSHALL does.
    pub fn flush(&self) {
        lock(&self.values).clear();
        lock(&self.lists).clear();
        lock(&self.sets).clear();
    }

    /// Publishes, and returns once every subscriber of `topic` has asked for what follows `message`: it has dealt with it.
    pub async fn tell(&self, topic: &str, message: String) {
        let (held, mut dealt_with) = mpsc::channel(1);
        // Nobody listening is no error.
        let _ = self.topic(topic).send(Message {
            text: message,
            held: Some(held),
        });
        dealt_with.recv().await;
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        match self.down.load(Ordering::Relaxed) {
            true => Err(HintsError {
                operation,
                source: "the twin was told to fail".into(),
            }),
            false => Ok(()),
        }
    }

    fn topic(&self, topic: &str) -> broadcast::Sender<Message> {
        let mut topics = lock(&self.topics);
        topics
            .entry(topic.to_string())
            .or_insert_with(|| broadcast::channel(TOPIC_BACKLOG_MESSAGES).0)
            .clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Hints for MemoryHints {
    fn set<'a>(&'a self, key: &'a str, value: String, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check("set")?;
            lock(&self.values).insert(key.to_string(), (value, Instant::now() + ttl));
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check("remove")?;
            lock(&self.values).remove(key);
            Ok(())
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, String)>>> {
        Box::pin(async move {
            self.check("scan")?;
            let now = Instant::now();
            let mut values = lock(&self.values);
            values.retain(|_, (_, expires)| *expires > now);
            Ok(values
                .range(prefix.to_string()..)
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(key, (value, _))| (key.clone(), value.clone()))
                .collect())
        })
    }

    fn count<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            self.check("count")?;
            let now = Instant::now();
            let mut values = lock(&self.values);
            let entry = values
                .entry(key.to_string())
                .and_modify(|entry| {
                    if entry.1 <= now {
                        *entry = ("0".to_string(), now + window);
                    }
                })
                .or_insert_with(|| ("0".to_string(), now + window));
            let count = entry.0.parse::<u64>().unwrap_or(0) + 1;
            entry.0 = count.to_string();
            Ok(count)
        })
    }

    fn append<'a>(&'a self, entries: Vec<Entry>, keep: usize, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check("append")?;
            let now = Instant::now();
            let mut lists = lock(&self.lists);
            lists.retain(|_, (_, expires)| *expires > now);
            for Entry { key, topic, value } in entries {
                let (list, expires) = lists.entry(key).or_insert_with(|| (VecDeque::new(), now));
                *expires = now + ttl;
                list.push_back(value.clone());
                while list.len() > keep {
                    list.pop_front();
                }
                // An error only says that nobody listens.
                let _ = self.topic(&topic).send(Message {
                    text: value,
                    held: None,
                });
            }
            Ok(())
        })
    }

    fn newest<'a>(&'a self, keys: Vec<String>, count: usize) -> BoxFuture<'a, Result<Vec<Vec<String>>>> {
        Box::pin(async move {
            self.check("newest")?;
            let now = Instant::now();
            let lists = lock(&self.lists);
            let of = |key: &String| match lists.get(key) {
                Some((list, expires)) if *expires > now => {
                    list.iter().skip(list.len().saturating_sub(count)).cloned().collect()
                }
                _ => Vec::new(),
            };
            Ok(keys.iter().map(of).collect())
        })
    }

    fn mark<'a>(&'a self, sets: Vec<(String, Vec<u64>)>, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check("mark")?;
            let now = Instant::now();
            let mut known = lock(&self.sets);
            known.retain(|_, (_, expires)| *expires > now);
            for (key, members) in sets.into_iter().filter(|(_, members)| !members.is_empty()) {
                let (set, expires) = known.entry(key).or_insert_with(|| (HashSet::new(), now));
                *expires = now + ttl;
                set.extend(members);
            }
            Ok(())
        })
    }

    fn distinct<'a>(&'a self, groups: Vec<Vec<String>>) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(async move {
            self.check("distinct")?;
            let now = Instant::now();
            let known = lock(&self.sets);
            let of = |keys: &Vec<String>| {
                let sets = keys.iter().filter_map(|key| known.get(key));
                let members: HashSet<u64> = sets
                    .filter(|(_, expires)| *expires > now)
                    .flat_map(|(set, _)| set.iter().copied())
                    .collect();
                members.len() as u64
            };
            Ok(groups.iter().map(of).collect())
        })
    }

    fn publish<'a>(&'a self, topic: &'a str, message: String) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check("publish")?;
            // An error only says that nobody listens.
            let _ = self.topic(topic).send(Message {
                text: message,
                held: None,
            });
            Ok(())
        })
    }

    fn subscribe(&self, topic: &str) -> BoxStream<'static, String> {
        let messages = BroadcastStream::new(self.topic(topic).subscribe())
            .filter_map(async |m| m.ok())
            .boxed();
        let next = async |(mut messages, held): (BoxStream<'static, Message>, Option<_>)| {
            drop(held);
            let message: Message = messages.next().await?;
            Some((message.text, (messages, message.held)))
        };
        stream::unfold((messages, None), next).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_has_been_dealt_with() {
        let hints = MemoryHints::new();
        hints.tell("topic", "nobody listens".into()).await;
        let (mut one, mut other) = (hints.subscribe("topic"), hints.subscribe("topic"));
        let mut told = Box::pin(hints.tell("topic", "news".into()));
        assert!(futures::poll!(&mut told).is_pending());
        assert_eq!(one.next().await.as_deref(), Some("news"));
        assert!(futures::poll!(one.next()).is_pending(), "it has dealt with it");
        assert_eq!(other.next().await.as_deref(), Some("news"));
        assert!(futures::poll!(&mut told).is_pending(), "the other one has it in hand");
        assert!(futures::poll!(other.next()).is_pending());
        assert!(futures::poll!(&mut told).is_ready());
    }
}
