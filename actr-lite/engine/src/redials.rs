//! How often a call is made over another connection.

/// How often a call is made again if the peer had just closed its connection as unused: more often in a row is not bad
/// luck.
const MAX_REDIALS: u32 = 3;

/// How often a call may still be made again.
#[derive(Debug, Clone)]
pub struct Redials(u32);

impl Default for Redials {
    fn default() -> Self {
        Self(MAX_REDIALS)
    }
}

impl Redials {
    /// The connection has ended before the answer came. Whether to make the call again: the peer has closed it as unused,
    /// and so has not looked at the call.
    pub fn may_redial(&mut self, is_unused: bool) -> bool {
        let may = is_unused && self.0 > 0;
        self.0 -= u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_again_only_if_nobody_can_have_served_it() {
        let mut redials = Redials::default();
        assert!(!redials.may_redial(false));
        let again = (0..10).filter(|_| redials.may_redial(true)).count();
        assert_eq!(again, 3);
    }
}
