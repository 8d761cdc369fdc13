use std::collections::VecDeque;

use actr_lite_wire::identity::ActrId;

/// How many of its ids a node answers to: it has a new one when its registry has lost the last one, and others look it up
/// again within seconds.
const MAX_OWN_IDS: usize = 16;

/// The ids that a node has, or had; the latest last.
#[derive(Debug, Default)]
pub(super) struct OwnIds(VecDeque<ActrId>);

impl OwnIds {
    /// The node has this id from now on.
    pub(super) fn insert(&mut self, id: ActrId) {
        if self.0.len() == MAX_OWN_IDS {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }

    pub(super) fn contains(&self, id: &ActrId) -> bool {
        self.0.contains(id)
    }
}
