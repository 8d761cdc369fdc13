//! What a server does with the requests that it gets.

use actr_lite::ErrorCode;

use crate::stream_server::cue::Cue;

/// One request for a stream.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// How many came before it.
    pub(crate) before: usize,
    /// The frame that the caller says it has.
    pub(crate) after: u64,
    /// How many frames the stream has.
    pub(crate) frames: u64,
}

impl Asked {
    /// The stream from where the caller is to its end.
    pub(crate) fn rest(self) -> Conduct {
        self.send(self.frames, Then::Finish)
    }

    /// From where the caller is up to a number.
    pub(crate) fn send(self, last: u64, then: Then) -> Conduct {
        Conduct::send(self.after + 1..=last, then)
    }
}

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Conduct {
    /// It answers, and sends.
    Send(Sending),
    /// It sends, and answers when all that is sent.
    SendFirst(Sending),
    /// It sends, and never answers.
    SendUnanswered(Sending),
    Refuse(ErrorCode, &'static str),
}

impl Conduct {
    pub(crate) fn send(numbers: impl IntoIterator<Item = u64>, then: Then) -> Self {
        Self::Send(Sending::new(numbers, then))
    }

    pub(crate) fn send_first(numbers: impl IntoIterator<Item = u64>, then: Then) -> Self {
        Self::SendFirst(Sending::new(numbers, then))
    }

    pub(crate) fn send_unanswered(numbers: impl IntoIterator<Item = u64>, then: Then) -> Self {
        Self::SendUnanswered(Sending::new(numbers, then))
    }
}

/// Frames of these numbers, and then?
#[derive(Clone)]
pub(crate) struct Sending {
    pub(crate) numbers: Vec<u64>,
    pub(crate) then: Then,
}

impl Sending {
    fn new(numbers: impl IntoIterator<Item = u64>, then: Then) -> Self {
        let numbers = numbers.into_iter().collect();
        Self { numbers, then }
    }
}

#[derive(Clone)]
pub(crate) enum Then {
    Finish,
    BreakOff,
    /// Nothing, until the receiver cancels it.
    Hold,
    /// Nothing until the cue, whatever the receiver says.
    Linger(Cue),
    /// It goes on at the cue, with these.
    Wait(Cue, Box<Sending>),
}

impl Then {
    /// Breaks off at the cue.
    pub(crate) fn break_off_at(cue: &Cue) -> Self {
        Self::send_at(cue, [], Self::BreakOff)
    }

    /// Sends frames of these numbers at the cue.
    pub(crate) fn send_at(cue: &Cue, numbers: impl IntoIterator<Item = u64>, then: Self) -> Self {
        Self::Wait(cue.clone(), Box::new(Sending::new(numbers, then)))
    }
}

/// Sends up to frame 5 and holds the stream, for any caller.
pub(crate) fn half(asked: Asked) -> Conduct {
    asked.send(5, Then::Hold)
}

/// Agrees, and sends nothing.
pub(crate) fn silent(_: Asked) -> Conduct {
    Conduct::send([], Then::Hold)
}

/// Breaks off behind frame `last` the first time, and then sends the rest.
pub(crate) fn breaks_off_once(last: u64) -> impl Fn(Asked) -> Conduct {
    move |asked| match asked.before {
        0 => asked.send(last, Then::BreakOff),
        _ => asked.rest(),
    }
}

/// Sends up to frame 5 the first time and breaks off at the cue, and then sends the rest.
pub(crate) fn breaks_off_once_at(cue: &Cue) -> impl Fn(Asked) -> Conduct + use<> {
    let cue = cue.clone();
    move |asked| match asked.before {
        0 => asked.send(5, Then::break_off_at(&cue)),
        _ => asked.rest(),
    }
}
