use std::{ops::Deref, sync::Arc};

use crate::{session::session::Session, stream::in_use::InUse};

/// A session that is not closed as unused as long as this exists.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    session: Arc<Session>,
    _in_use: InUse,
}

impl Deref for SessionHandle {
    type Target = Arc<Session>;

    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

impl SessionHandle {
    /// Begins to use a session; `None` if it is being closed as unused.
    pub(crate) fn enter(session: &Arc<Session>) -> Option<Self> {
        let in_use = InUse::enter(session.uplink())?;
        Some(Self {
            session: Arc::clone(session),
            _in_use: in_use,
        })
    }
}
