use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use actr_lite_net::{
    DialProgress,
    message_socket::{Incoming, SocketError},
};
use tokio::{sync::watch, time::sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{
    Instrument as _, debug_span,
    field::{Empty, display},
};

use crate::{
    ais::Ais,
    connection::Connection,
    dial::Dial,
    error::RegistryLinkError,
    identity::Identity,
    link::{Action, Event, Link},
    registration::Registration,
    renewal_token::RenewalToken,
    shared::{Shared, Waiter},
    signaling::{self, failure},
    state::LinkState,
};

/// The task behind a link: it does what the link decides.
pub(crate) struct Driver<D: Dial> {
    shared: Arc<Shared>,
    dial: Arc<D>,
    identity: watch::Sender<Option<Identity>>,
    state: watch::Sender<LinkState>,
    asking: Underway<Result<Registration, RegistryLinkError>>,
    opening: Underway<Result<Connection<D::Stream>, RegistryLinkError>>,
    open: Option<Connection<D::Stream>>,
    closing: Underway<()>,
}

/// What takes time, and ends with its result.
type Underway<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What AIS is asked for.
enum Question {
    Register,
    Renew(Identity, RenewalToken),
    Reissue(Identity, RenewalToken),
}

impl Question {
    /// Whether the node has an identity already.
    fn is_renewal(&self) -> bool {
        !matches!(self, Self::Register)
    }
}

impl<D: Dial> Driver<D> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        dial: D,
        identity: watch::Sender<Option<Identity>>,
        state: watch::Sender<LinkState>,
    ) -> Self {
        Self {
            shared,
            dial: Arc::new(dial),
            identity,
            state,
            asking: None,
            opening: None,
            open: None,
            closing: None,
        }
    }

    /// Keeps the node registered and connected until `stop`, or until a connection ends while the node leaves.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(until) = self.act() {
            match stop.run_until_cancelled(self.next_event(until)).await {
                Some(Some(event)) => self.handle(event),
                Some(None) => {}
                None => {
                    self.close();
                    break;
                }
            }
        }
        if let Some(closing) = self.closing.take() {
            closing.await;
        }
    }

    /// Does all that is to be done now. Until when to wait then; `None` if the link has ended.
    fn act(&mut self) -> Option<Option<Duration>> {
        loop {
            let load = self.shared.config.load.report();
            let can_send = self.open.as_ref().is_some_and(Connection::can_send);
            match self.step(|link, now| link.poll(now, load, can_send, rand::random())) {
                Action::Register => self.ask(Question::Register),
                Action::Renew { identity, token } => self.ask(Question::Renew(identity, token)),
                Action::Reissue { identity, token } => self.ask(Question::Reissue(identity, token)),
                Action::Open(identity) => self.open(identity),
                Action::Send(envelope) => self.write(|open| open.send(envelope)),
                Action::Ping => self.write(Connection::ping),
                Action::Close => self.close(),
                Action::Drop => self.open = None,
                Action::Relay(relayed) => self.shared.hand_over(relayed),
                // Whoever does not wait any more needs no answer.
                Action::Answer(waiter, answer) => drop(waiter.send(answer)),
                Action::Wait(until) => return Some(until),
                Action::Stop => return None,
            }
        }
    }

    /// Asks the link for something, and shows its handles what has changed.
    fn step<T>(&self, ask: impl FnOnce(&mut Link<Waiter>, Duration) -> T) -> T {
        let mut link = self.shared.link();
        let answer = ask(&mut link, self.shared.now());
        let is_same = link.identity() == self.identity.borrow().as_ref();
        let identity = (!is_same).then(|| link.identity().cloned());
        let is_same = *link.state() == *self.state.borrow();
        let state = (!is_same).then(|| link.state().clone());
        drop(link);
        if let Some(identity) = identity {
            self.identity.send_replace(identity);
        }
        if let Some(state) = state {
            self.state.send_replace(state);
        }
        answer
    }

    fn handle(&self, event: Event) {
        self.step(|link, now| link.handle(event, now, rand::random()));
    }

    fn ask(&mut self, question: Question) {
        let (shared, dial) = (self.shared.clone(), self.dial.clone());
        let span = debug_span!(
            "register",
            registry = %shared.config.url,
            is_renewal = question.is_renewal(),
            id = Empty,
            reason = Empty,
            otel.kind = "client",
            otel.status_code = Empty,
        );
        let outcome = span.clone();
        let asking = async move {
            let beside = DialProgress::default();
            let ais = Ais {
                config: &shared.config,
                dial: &*dial,
                progress: if question.is_renewal() {
                    &beside
                } else {
                    &shared.progress
                },
            };
            let granted = match question {
                Question::Register => ais.register().await,
                Question::Renew(identity, token) => ais.renew(&identity, &token).await,
                Question::Reissue(identity, token) => ais.reissue(&identity, &token).await,
            };
            match &granted {
                Ok(registration) => outcome.record("id", display(&registration.identity.actor_id)),
                Err(error) => outcome
                    .record("reason", display(error))
                    .record("otel.status_code", "ERROR"),
            };
            granted
        };
        self.asking = Some(Box::pin(asking.instrument(span)));
    }

    fn open(&mut self, identity: Identity) {
        let (shared, dial) = (self.shared.clone(), self.dial.clone());
        self.opening = Some(Box::pin(async move {
            let socket = signaling::open(&shared.config, &*dial, &identity, &shared.progress).await?;
            Ok(Connection::new(socket))
        }));
    }

    fn write(&mut self, write: impl FnOnce(&mut Connection<D::Stream>) -> Result<(), SocketError>) {
        let written = self.open.as_mut().map(write);
        if let Some(Err(error)) = written {
            self.handle(Event::Lost(failure(&self.shared.config, &error)));
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.closing = Some(Box::pin(open.close()));
        }
    }

    /// What happens next; `None` if the link is only to be polled again.
    async fn next_event(&mut self, until: Option<Duration>) -> Option<Event> {
        let shared = &self.shared;
        let timer = async {
            match until {
                Some(until) => sleep_until(shared.instant(until)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            granted = done(&mut self.asking) => Some(Event::Granted(granted)),
            opened = done(&mut self.opening) => Some(Event::Opened(opened.map(|open| self.open = Some(open)))),
            incoming = next(&mut self.open) => Some(match incoming? {
                Ok(Incoming::Message(message)) => Event::Received(message),
                Ok(Incoming::Text | Incoming::SignOfLife) => Event::SignOfLife,
                Err(error) => Event::Lost(failure(&shared.config, &error)),
            }),
            () = done(&mut self.closing) => None,
            () = shared.added.notified() => None,
            () = timer => None,
        }
    }
}

/// The result, once it is there.
async fn done<T>(underway: &mut Underway<T>) -> T {
    let Some(future) = underway else {
        return pending().await;
    };
    let result = future.await;
    *underway = None;
    result
}

async fn next<S>(open: &mut Option<Connection<S>>) -> Option<Result<Incoming, SocketError>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match open {
        Some(open) => open.next().await,
        None => pending().await,
    }
}

impl<D: Dial> Drop for Driver<D> {
    /// However the task ends, nobody waits for it any more.
    fn drop(&mut self) {
        self.step(|link, _| link.stop());
        self.act();
    }
}
