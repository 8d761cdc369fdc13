use std::collections::VecDeque;

/// Who waits for room: as Tokio's `Notify`, one after the other, and who comes when nobody waits finds a permit.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: VecDeque<Ticket>,
    told: Vec<Ticket>,
    has_permit: bool,
    next: u64,
}

/// One wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Waiters {
    pub(crate) fn wait(&mut self) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        match std::mem::take(&mut self.has_permit) {
            true => self.told.push(ticket),
            false => self.waiting.push_back(ticket),
        }
        ticket
    }

    /// Whether somebody waited.
    pub(crate) fn tell_one(&mut self) -> bool {
        let first = self.waiting.pop_front();
        self.has_permit |= first.is_none();
        self.told.extend(first);
        first.is_some()
    }

    /// Whether somebody waited; whoever comes later finds a permit.
    pub(crate) fn tell_all(&mut self) -> bool {
        self.has_permit = true;
        self.told.extend(&self.waiting);
        !std::mem::take(&mut self.waiting).is_empty()
    }

    pub(crate) fn is_told(&self, ticket: Ticket) -> bool {
        self.told.contains(&ticket)
    }

    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.waiting.retain(|waiting| *waiting != ticket);
        self.told.retain(|told| *told != ticket);
    }
}
