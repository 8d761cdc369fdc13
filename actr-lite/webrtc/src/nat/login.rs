//! Who a node is to a relay, and how that is shown.

use std::fmt;

use crate::nat::message::{Authentication, Question};

/// What refuses a request because of who asks (RFC 8489 §14.8), and because of an old nonce.
const UNAUTHENTICATED: u16 = 401;
const STALE_NONCE: u16 = 438;

/// Who a node is to its relays. Its `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What a node shows to one relay. The relay says first what it wants to see.
pub(crate) struct Login {
    credential: Credential,
    shown: Option<Authentication>,
}

impl Login {
    /// Nothing is shown yet.
    pub(crate) fn new(credential: Credential) -> Self {
        Self {
            credential,
            shown: None,
        }
    }

    /// The node is somebody else, once it [begins anew](Self::begin). Whether that is news.
    pub(crate) fn set_credential(&mut self, credential: Credential) -> bool {
        let is_new = self.credential != credential;
        self.credential = credential;
        is_new
    }

    /// The relay knows nothing of this node.
    pub(crate) fn begin(&mut self) {
        self.shown = None;
    }

    /// What is shown.
    pub(crate) fn shown(&self) -> Option<&Authentication> {
        self.shown.as_ref()
    }

    /// Whether a question that was refused with this may do, once the relay sees who asks.
    pub(crate) fn is_asked_for(
        &mut self,
        code: u16,
        realm: Option<String>,
        nonce: Option<String>,
        question: Question,
    ) -> bool {
        let Some(nonce) = nonce else { return false };
        match (code, &mut self.shown, realm) {
            (UNAUTHENTICATED, shown @ None, Some(realm)) => {
                let Credential { username, password } = &self.credential;
                *shown = Some(Authentication::new(username, password, &realm, &nonce));
            }
            (STALE_NONCE, Some(shown), _) => shown.set_nonce(&nonce),
            // A relay that was restarted; but one that has just seen the name and the password does not take them.
            (UNAUTHENTICATED, Some(shown), _) if !matches!(question, Question::Allocate { .. }) => {
                shown.set_nonce(&nonce);
            }
            _ => return false,
        }
        true
    }
}
