use std::{mem, time::Duration};

use actr_lite_webrtc::signal::{Description, Signal};

/// What an official node waits for at most: the registry's answer, and a connection.
const ROLE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The pauses before whoever wants a connection tries again.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long whoever wants a connection tries a WebSocket instead, which nobody answers, until it looks for one again.
const ELSEWHERE: Duration = Duration::from_secs(6);

/// A node of actr 0.4.21, as its `wire/webrtc/coordinator.rs` has it, as far as it matters to who offers and when.
///
/// What it does, and why a second question harms it: who wants a connection (`Wish`), who is told to offer, and who answers
/// share one connection with a peer. Being told to offer drops the connection, also right after the first time. The wish
/// takes that for a failure, drops whatever connection there is when it notices, and asks again 1 s later, whatever
/// connection there is then.
#[derive(Debug)]
pub(super) struct Official {
    wish: Wish,
    tries: usize,
    connection: Option<Connection>,
    /// When connections to offer are made, and whether for the wish.
    setups: Vec<(Duration, bool)>,
    offers: u64,
    /// How long it takes to make a connection, and to notice that one is gone.
    setup: Duration,
    notice: Duration,
    /// What it says to the registry and the peer.
    pub(super) says: Vec<Signal>,
    /// The exchanges of the connections that it has dropped.
    pub(super) dropped: Vec<String>,
    /// Whether it had to look for another lane.
    pub(super) was_elsewhere: bool,
}

/// The connection with the peer.
#[derive(Debug)]
struct Connection {
    exchange: String,
    /// The wish waits for it.
    is_wished: bool,
    is_open: bool,
}

/// How far whoever wants a connection has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    None,
    /// It has asked who offers.
    Asking {
        until: Duration,
    },
    /// It offers, or waits for an offer.
    Connecting {
        until: Duration,
    },
    /// It is about to notice that its connection is gone.
    Failing {
        at: Duration,
    },
    Pausing {
        until: Duration,
    },
    Elsewhere {
        until: Duration,
    },
    Fulfilled,
}

impl Official {
    pub(super) fn new(setup: Duration, notice: Duration) -> Self {
        Self {
            wish: Wish::None,
            tries: 0,
            connection: None,
            setups: Vec::new(),
            offers: 0,
            setup,
            notice,
            says: Vec::new(),
            dropped: Vec::new(),
            was_elsewhere: false,
        }
    }

    /// Somebody wants a connection: the one that there is will do, even if it is only being made.
    pub(super) fn wants(&mut self, now: Duration) {
        match self.connection {
            Some(_) => self.wish = Wish::Fulfilled,
            None => self.ask(now),
        }
    }

    fn ask(&mut self, now: Duration) {
        let until = now + ROLE_TIMEOUT;
        self.wish = Wish::Asking { until };
        self.says.push(Signal::AskRole);
    }

    pub(super) fn hear(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::Role { is_offerer } => self.assigned(is_offerer, now),
            Signal::Offer(Description { sdp, exchange }) => {
                self.drop_connection(now);
                self.connection = Some(Connection {
                    exchange: exchange.clone(),
                    is_wished: false,
                    is_open: false,
                });
                self.says.push(Signal::Answer(Description { sdp, exchange }));
            }
            _ => {}
        }
    }

    fn assigned(&mut self, is_offerer: bool, now: Duration) {
        let has_asked = matches!(self.wish, Wish::Asking { .. });
        if is_offerer {
            self.drop_connection(now);
        }
        if has_asked {
            let until = now + CONNECTION_TIMEOUT;
            self.wish = Wish::Connecting { until };
        }
        if is_offerer && self.connection.is_none() {
            self.setups.push((now + self.setup, has_asked));
        }
    }

    fn drop_connection(&mut self, now: Duration) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.dropped.push(connection.exchange);
        if connection.is_wished && matches!(self.wish, Wish::Connecting { .. }) {
            let at = now + self.notice;
            self.wish = Wish::Failing { at };
        }
    }

    /// Does what is due.
    pub(super) fn poll(&mut self, now: Duration) {
        for (at, is_wished) in mem::take(&mut self.setups) {
            match &self.connection {
                _ if now < at => self.setups.push((at, is_wished)),
                None => self.offer(is_wished),
                // No try at a connection again: that is for what has failed.
                Some(_) if is_wished => {
                    let until = now + ELSEWHERE;
                    (self.wish, self.was_elsewhere) = (Wish::Elsewhere { until }, true);
                }
                Some(_) => {}
            }
        }
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.wish {
            Wish::Asking { .. } | Wish::Connecting { .. } | Wish::Failing { .. } => {
                self.drop_connection(now);
                let until = now + PAUSES.get(self.tries).copied().unwrap_or(Duration::MAX / 2);
                self.tries += 1;
                self.wish = Wish::Pausing { until };
            }
            Wish::Pausing { .. } => self.ask(now),
            Wish::Elsewhere { .. } => self.wants(now),
            Wish::None | Wish::Fulfilled => {}
        }
    }

    fn offer(&mut self, is_wished: bool) {
        self.offers += 1;
        let exchange = format!("official-{}", self.offers);
        let sdp = format!("o=- {0} {0}", self.offers);
        self.connection = Some(Connection {
            exchange: exchange.clone(),
            is_wished,
            is_open: false,
        });
        self.says.push(Signal::Offer(Description { sdp, exchange }));
    }

    /// When the wish goes on, if nothing else happens.
    fn deadline(&self) -> Option<Duration> {
        match self.wish {
            Wish::Asking { until }
            | Wish::Connecting { until }
            | Wish::Failing { at: until }
            | Wish::Pausing { until }
            | Wish::Elsewhere { until } => Some(until),
            Wish::None | Wish::Fulfilled => None,
        }
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        let setups = self.setups.iter().map(|(at, _)| *at);
        setups.chain(self.deadline()).min()
    }

    /// Whether the connection is of this exchange.
    pub(super) fn has(&self, exchange: &str) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.exchange == exchange)
    }

    /// The connection has open channels.
    pub(super) fn opened(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        connection.is_open = true;
        // One that was offered unasked fulfils no wish for another.
        let is_answered = !connection.exchange.starts_with("official");
        if matches!(self.wish, Wish::Connecting { .. }) && (connection.is_wished || is_answered) {
            self.wish = Wish::Fulfilled;
        }
    }

    /// Whether whoever wants a connection has one that is open, and which it is.
    pub(super) fn session(&self) -> Option<&str> {
        let connection = self.connection.as_ref().filter(|connection| connection.is_open)?;
        matches!(self.wish, Wish::Fulfilled).then_some(&connection.exchange)
    }
}
