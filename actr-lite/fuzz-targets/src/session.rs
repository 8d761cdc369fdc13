use actr_lite::fuzzing::{FuzzedNode, FuzzedSession};

use crate::explained;

thread_local! {
    /// Making one takes longer than all the rest of a run.
    static NODE: FuzzedNode = match FuzzedNode::new() {
        Ok(node) => node,
        Err(error) => panic!("{error}"),
    };
}

/// What a session does next.
enum Step<'a> {
    /// The peer sends a message.
    Receive(&'a [u8]),
    /// The peer reads what was sent to it.
    Drain,
    /// The node waits for a stream.
    Subscribe,
    /// The node takes a frame of it.
    Take,
    /// The node does not want it any more.
    Stop,
    /// The node calls the peer.
    Call,
}

/// The bytes as what happens to a session. The first one says whether the peer speaks the extension. Then come steps: a
/// byte that says what, and for a message two bytes with its length, and the message.
///
/// Everything that is sent can be read by the peer; and nothing is left when the connection has ended.
pub fn session(bytes: &[u8]) {
    let Some((mode, mut rest)) = bytes.split_first() else {
        return;
    };
    NODE.with(|node| {
        let Ok(mut session) = node.session(mode & 1 == 1) else {
            panic!("what an earlier session held is not given back");
        };
        while let Some((step, behind)) = next(rest) {
            rest = behind;
            if take(&mut session, step, bytes).is_err() {
                break;
            }
        }
        session.end();
    });
}

fn next(bytes: &[u8]) -> Option<(Step<'_>, &[u8])> {
    let (what, rest) = bytes.split_first()?;
    let step = match what & 7 {
        0..=2 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
            let (message, rest) = rest.split_at(len);
            return Some((Step::Receive(message), rest));
        }
        3 => Step::Drain,
        4 => Step::Subscribe,
        5 => Step::Take,
        6 => Step::Call,
        _ => Step::Stop,
    };
    Some((step, rest))
}

/// An error ends the connection.
fn take(session: &mut FuzzedSession<'_>, step: Step<'_>, input: &[u8]) -> Result<(), ()> {
    match step {
        Step::Receive(message) => {
            return session.receive(message).map_err(|error| explained(&error, input));
        }
        Step::Drain => session.drain(),
        Step::Subscribe => session.subscribe(),
        Step::Take => session.take(),
        Step::Stop => session.stop(),
        Step::Call => session.call(),
    }
    Ok(())
}
