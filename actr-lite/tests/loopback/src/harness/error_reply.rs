//! The errors that a callee answers with.

use actr_lite::{ActrError, Dest, ErrorCode};

/// The callee's error reply, which names the callee and the route.
pub(crate) fn remote_error(error: ActrError, dest: &Dest, route: &str) -> (ErrorCode, String) {
    match error {
        ActrError::Remote {
            dest: from,
            route: of,
            reply,
        } => {
            assert_eq!((&from, of.as_str()), (dest, route));
            (reply.code, reply.message.into())
        }
        other => panic!("{other:?}"),
    }
}
