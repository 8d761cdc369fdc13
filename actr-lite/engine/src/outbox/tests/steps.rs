use proptest::{collection::vec, prelude::*};

use crate::outbox::Urgency;

/// What happens to an outbox; how much a write takes of what it is offered, in 256ths.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send {
        is_call: bool,
        urgency: Urgency,
        len: usize,
    },
    Control,
    /// Whoever writes has written.
    Written {
        part: u8,
    },
    /// The driver has its turn, if it does not rest.
    Driver,
    Ping,
    Pong,
    Flush,
    Close,
    Abandon,
    End,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let urgency = prop_oneof![Just(Urgency::Now), Just(Urgency::Pause), Just(Urgency::Later)];
    let len = prop_oneof![0..200usize, 0..40_000usize, 0..300_000usize];
    let send = (any::<bool>(), urgency, len).prop_map(|(is_call, urgency, len)| Step::Send { is_call, urgency, len });
    let part = prop_oneof![3 => Just(255), 1 => Just(0), 2 => any::<u8>()];
    let step = prop_oneof![
        40 => send,
        5 => Just(Step::Control),
        30 => part.prop_map(|part| Step::Written { part }),
        20 => Just(Step::Driver),
        2 => Just(Step::Ping),
        2 => Just(Step::Pong),
        4 => Just(Step::Flush),
    ];
    let last = prop_oneof![4 => Just(None), 2 => Just(Some(Step::Close)), 1 => Just(Some(Step::Abandon)), 1 => Just(Some(Step::End))];
    (vec(step.clone(), 0..120), last, vec(step, 0..30)).prop_map(|(mut steps, last, behind)| {
        steps.extend(last);
        steps.extend(behind);
        steps
    })
}
