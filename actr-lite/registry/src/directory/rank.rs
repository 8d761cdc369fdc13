use super::load::Load;

/// How good a candidate a node is: the lowest is the best, and no two are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) obstacles: Obstacles,
    pub(super) load: Load,
    /// The directory's count of answers when it last came first in one.
    pub(super) last_given: u64,
    pub(super) serial: u64,
}

/// How hard a node seems to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Obstacles {
    pub(super) has_no_address: bool,
    pub(super) can_not_serve: bool,
    /// Its connection ended, and there was no sign of life since.
    pub(super) is_lost: bool,
}

impl Rank {
    /// None is better.
    pub(super) const FIRST: Self = Self {
        obstacles: Obstacles {
            has_no_address: false,
            can_not_serve: false,
            is_lost: false,
        },
        load: Load::LEAST,
        last_given: 0,
        serial: 0,
    };

    /// The same by what lasts: by obstacles, and then by who was here first.
    pub(super) fn by_age(self) -> Self {
        Self {
            load: Load::LEAST,
            last_given: 0,
            ..self
        }
    }
}
