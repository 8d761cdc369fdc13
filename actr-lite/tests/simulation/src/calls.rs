use std::time::Duration;

use actr_lite_engine::peers::addresses::LookUp;
use bytes::Bytes;
use rand::RngExt as _;

use crate::{
    caller::Stage,
    context::Context,
    exchange::{ExchangeId, NoAnswer},
    node::Node,
    routes::ECHO,
};

/// How long such a call waits for its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the registry is asked for whom to call.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    /// Makes the calls that are due. When to be called again.
    pub(crate) fn poll_caller(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        if self.is_leaving() {
            self.stop_calling();
            return None;
        }
        match &self.caller.stage {
            Stage::Planned(at) if cx.now < *at => Some(*at),
            Stage::Planned(_) => {
                let (number, until) = (self.ask_registry(cx), cx.now + DISCOVER_TIMEOUT);
                self.caller.stage = Stage::Discovering { number, until };
                self.progress = true;
                Some(until)
            }
            Stage::Discovering { number, until } => {
                let (number, until) = (*number, *until);
                let answer = self.link.take_answer(number);
                if answer.is_none() && cx.now < until {
                    return Some(until);
                }
                self.link.forget(number);
                let mut servers = answer.and_then(|answer| self.named(answer, cx)).unwrap_or_default();
                // The registry may still know it under an earlier id.
                let own = self.link.address();
                if let Some(own) = own {
                    servers.retain(|server| self.addresses.look_up(server, true) != LookUp::Known(own));
                }
                self.caller.stage = match servers.len() {
                    0 => Stage::Over,
                    len => Stage::Pausing(servers.swap_remove(cx.rng.random_range(0..len)), cx.now),
                };
                self.progress = true;
                None
            }
            Stage::Pausing(_, at) if cx.now < *at => Some(*at),
            Stage::Pausing(server, _) => {
                let server = server.clone();
                cx.record(
                    "calls {} for the {}th time",
                    [server.serial_number(), self.caller.made + 1],
                );
                self.caller.made += 1;
                let (made, until) = (self.caller.made, cx.now + CALL_TIMEOUT);
                let exchange = self.exchange(server.clone(), until, ECHO, made, Vec::new());
                self.caller.stage = Stage::Calling {
                    server,
                    exchange,
                    since: cx.now,
                    cancel_at: self.caller.plan.patience.map(|patience| cx.now + patience),
                };
                None
            }
            Stage::Calling {
                exchange,
                cancel_at: Some(at),
                ..
            } if cx.now >= *at => {
                let exchange = *exchange;
                cx.record("cancels its call {}", [exchange, 0]);
                self.abandon_exchange(exchange, cx);
                self.next_call(cx);
                None
            }
            Stage::Calling { cancel_at, .. } => *cancel_at,
            Stage::Over => None,
        }
    }

    /// A call is over; the next one follows.
    fn next_call(&mut self, cx: &mut Context<'_>) {
        let Stage::Calling { server, .. } = &self.caller.stage else {
            return;
        };
        let next_at = cx.now + self.caller.plan.pause;
        self.caller.stage = if self.caller.made < self.caller.plan.count {
            Stage::Pausing(server.clone(), next_at)
        } else {
            Stage::Over
        };
        self.progress = true;
    }

    pub(crate) fn call_answered(&mut self, id: ExchangeId, result: Result<Bytes, NoAnswer>, cx: &mut Context<'_>) {
        let Stage::Calling { exchange, since, .. } = &self.caller.stage else {
            return;
        };
        if *exchange != id {
            return;
        }
        match result {
            Ok(answer) => {
                let sent = format!("{} {id}", self.caller.made);
                cx.check(answer == sent, || format!("the answer to {sent:?} is {answer:?}"));
            }
            Err(why) => {
                cx.record("has no answer to its call {}", [id, 0]);
                let took = cx.now - *since;
                // The registry names a server a moment before that lets anybody in.
                if why != NoAnswer::Unreachable {
                    self.caller.failed.get_or_insert((why, took));
                }
            }
        }
        self.next_call(cx);
    }

    /// It begins no more calls.
    fn stop_calling(&mut self) {
        if let Stage::Discovering { number, .. } = &self.caller.stage {
            self.link.forget(*number);
        }
        self.caller.stage = Stage::Over;
    }

    /// The node stops: its calls are of no interest any more.
    pub(crate) fn stop_calls(&mut self, cx: &mut Context<'_>) {
        self.stop_calling();
        for id in self.exchanges.keys().copied().collect::<Vec<_>>() {
            self.abandon_exchange(id, cx);
        }
    }
}
