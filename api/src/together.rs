//! Looks that many share: of the subscriptions that hear of one change, the first asks PostgreSQL and the others wait for its
//! answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

use crate::problem::Answer;

/// Looks that are remembered; beyond it those that are done are forgotten. What is still under way has somebody waiting.
const REMEMBERED_MAX: usize = 256;

/// `None`: it failed, and whoever wants it looks alone.
type Look<V> = Shared<BoxFuture<'static, Option<V>>>;

/// Each with the number of the last change that had been heard of when it began.
type Looks<K, V> = HashMap<K, (u64, Look<V>)>;

/// See the [module](self). Cheap to clone.
pub(crate) struct Together<K, V> {
    looks: Arc<Mutex<Looks<K, V>>>,
}

impl<K, V> Clone for Together<K, V> {
    fn clone(&self) -> Self {
        Self {
            looks: self.looks.clone(),
        }
    }
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self { looks: Arc::default() }
    }
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Together<K, V> {
    /// What `look` finds, or found for somebody else who began after the change `since` was heard of. `heard` is the last
    /// change heard of now.
    pub(crate) async fn look(
        &self,
        key: K,
        since: u64,
        heard: u64,
        look: impl Fn() -> BoxFuture<'static, Answer<V>>,
    ) -> Answer<V> {
        let shared = {
            let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            match looks.get(&key) {
                Some((begun, under_way)) if *begun >= since => under_way.clone(),
                _ => {
                    if looks.len() >= REMEMBERED_MAX {
                        looks.retain(|_, (_, look)| look.peek().is_none());
                    }
                    let begun: Look<V> = look().map(Result::ok).boxed().shared();
                    looks.insert(key, (heard, begun.clone()));
                    begun
                }
            }
        };
        match shared.await {
            Some(found) => Ok(found),
            None => look().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::problem::Problem;

    #[tokio::test]
    async fn one_looks_for_all_who_heard_of_the_same_change() {
        let (together, looked) = (Together::<&str, usize>::default(), Arc::new(AtomicUsize::new(0)));
        let ask = |since, heard| {
            let looked = looked.clone();
            let look = move || -> BoxFuture<'static, Answer<usize>> {
                let looked = looked.clone();
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    Ok(looked.fetch_add(1, Ordering::Relaxed))
                })
            };
            let together = together.clone();
            async move { together.look("a", since, heard, look).await.expect("found") }
        };
        assert_eq!(join_all((0..10).map(|_| ask(1, 1))).await, [0; 10]);
        assert_eq!(ask(2, 3).await, 1, "another change, another look");
        assert_eq!(ask(3, 4).await, 1, "that look began after this change");
        assert_eq!(ask(4, 4).await, 2);
    }

    #[tokio::test]
    async fn what_fails_for_one_is_tried_by_each() {
        let (together, looked) = (Together::<&str, usize>::default(), Arc::new(AtomicUsize::new(0)));
        let counted = looked.clone();
        let look = move || -> BoxFuture<'static, Answer<usize>> {
            let n = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match n {
                    0 => Err(Problem::bad_input("once")),
                    n => Ok(n),
                }
            })
        };
        assert_eq!(together.look("a", 1, 1, look).await.expect("found"), 1);
        assert_eq!(looked.load(Ordering::Relaxed), 2);
    }
}
