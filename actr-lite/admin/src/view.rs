//! What parts of a program show of themselves.

use crate::{
    counts::{NodeCounts, RegistryCounts},
    paging::Page,
    status::{NodeStatus, RegistryStatus},
};

/// What a registry shows. It is asked when somebody asks, and must not block.
pub trait RegistryView: Send + Sync {
    /// Why it can't serve, each a sentence; nothing if it can.
    fn obstacles(&self) -> Vec<String>;

    /// What it does.
    fn status(&self, page: Page) -> RegistryStatus;

    /// How much it has done.
    fn counts(&self) -> RegistryCounts;
}

/// What a node shows. It is asked when somebody asks, and must not block.
pub trait NodeView: Send + Sync {
    /// Why it can't serve, each a sentence; nothing if it can.
    fn obstacles(&self) -> Vec<String>;

    /// What it does.
    fn status(&self, page: Page) -> NodeStatus;

    /// How much it has done.
    fn counts(&self) -> NodeCounts;
}
