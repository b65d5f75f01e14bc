//! Readiness: each part of a process says whether it can do its work, and why not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A shared table of parts; cheap to clone. A process is ready when every part is.
#[derive(Clone, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    scope: String,
}

impl Health {
    /// An empty table: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same table with names prefixed `scope.`.
    pub fn scoped(&self, scope: &str) -> Self {
        Self {
            parts: self.parts.clone(),
            scope: format!("{}{scope}.", self.scope),
        }
    }

    fn set(&self, part: &str, state: Option<String>) {
        let mut parts = self.parts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        parts.insert(format!("{}{part}", self.scope), state);
    }

    /// `part` does its work.
    pub fn ready(&self, part: &str) {
        self.set(part, None);
    }

    /// `part` cannot do its work, for this reason.
    pub fn unready(&self, part: &str, reason: impl Into<String>) {
        self.set(part, Some(reason.into()));
    }

    /// The parts that are not ready, with reasons; empty when all are.
    pub fn problems(&self) -> Vec<(String, String)> {
        let parts = self.parts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        parts
            .iter()
            .filter_map(|(part, state)| Some((part.clone(), state.clone()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unready_part_makes_the_process_unready_and_says_why() {
        let health = Health::new();
        let edge = health.scoped("ingest-edge");
        edge.unready("listener", "not bound yet");
        assert_eq!(
            health.problems(),
            [("ingest-edge.listener".into(), "not bound yet".into())]
        );
        edge.ready("listener");
        assert!(health.problems().is_empty());
    }
}
