//! What it decides: `search` and `sending` have the cases with a name, `properties` runs random ones.

mod properties;
mod search;
mod sending;

use std::time::Duration;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

type Machine = Resumption<&'static str, &'static str>;

fn id(serial: u64) -> ActrId {
    ActrId::new(1, serial, "acme+Echo".parse().unwrap())
}

fn ids<const N: usize>(serials: [u64; N]) -> Event<&'static str, &'static str> {
    Event::Named(serials.map(id).into())
}

fn limits() -> Limits {
    Limits {
        timeout: TIMEOUT,
        first_frame: None,
        idle_timeout: None,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine, and what its shell sees.
struct Shell {
    machine: Machine,
    now: Duration,
    seen: Seen,
}

impl Shell {
    /// Of ten frames, which server 1 has agreed to send.
    fn agreed() -> Self {
        Self::with(limits())
    }

    fn with(limits: Limits) -> Self {
        Self::of(Resumption::agreed(limits, Some(10), Duration::ZERO, id(1), 0))
    }

    fn of(machine: Machine) -> Self {
        Self {
            machine,
            now: Duration::ZERO,
            seen: Seen::default(),
        }
    }

    /// Of a stream whose first server broke off behind this frame, and which asks the registry.
    fn broken_behind(delivered: u64) -> Self {
        let mut shell = Self::agreed();
        shell.waits(TIMEOUT / 2);
        shell.seen.delivered = delivered;
        shell.tell(Event::Ended(End::Broken, "cut"));
        shell.does(Action::Release);
        shell.does(Action::Broke(Broken::Ended("cut")));
        shell.does(Action::Discover {
            timeout: DISCOVER_TIMEOUT,
        });
        shell
    }

    fn poll(&mut self) -> Action<&'static str, &'static str> {
        self.machine.poll(self.now, self.seen, 0.5)
    }

    fn tell(&mut self, event: Event<&'static str, &'static str>) {
        self.machine.handle(event);
    }

    #[track_caller]
    fn does(&mut self, action: Action<&'static str, &'static str>) {
        assert_eq!(self.poll(), action);
    }

    #[track_caller]
    fn waits(&mut self, until: Duration) {
        self.does(Action::Wait(Some(until)));
    }

    #[track_caller]
    fn waits_for_events(&mut self) {
        self.does(Action::Wait(None));
    }

    #[track_caller]
    fn asks(&mut self, serial: u64, timeout: Duration) {
        self.does(Action::Ask {
            server: id(serial),
            timeout,
        });
        assert_eq!(self.machine.server(), Some(&id(serial)));
        self.waits_for_events();
    }

    fn fails(&mut self, failure: Failure, error: &'static str) {
        self.tell(Event::Failed(failure, error));
        self.does(Action::Release);
    }

    /// Sleeps until the machine wants to be polled.
    #[track_caller]
    fn sleeps(&mut self) {
        match self.poll() {
            Action::Wait(Some(until)) if until > self.now => self.now = until,
            other => panic!("it does not wait: {other:?}"),
        }
    }
}
