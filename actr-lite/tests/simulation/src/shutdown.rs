use std::time::Duration;

use actr_lite_engine::shutdown::{Phase, Shutdown};
use actr_lite_manifest::System;
use actr_lite_registry_client::{Request, UNREGISTER_TIMEOUT};
use actr_lite_wire::control::Control;

use crate::{context::Context, leaving::Leaving, node::Node};

/// How a node stops: the shell around the engine's shutdown.
impl Node {
    pub(crate) fn leave(&mut self, cx: &mut Context<'_>) {
        if self.leaving.is_some() {
            return;
        }
        cx.record("leaves", [0, 0]);
        self.link.leave();
        let request = (!self.link.is_down()).then(|| {
            let reason = "it leaves".into();
            self.link
                .request(Request::Unregister { reason }, UNREGISTER_TIMEOUT, cx.now)
        });
        let shutdown = Shutdown::new(System::SHUTDOWN_GRACE.duration(), cx.now);
        self.leaving = Some(Leaving { shutdown, request });
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        let phase = self.leaving.as_ref().map(|leaving| leaving.shutdown.phase());
        phase == Some(Phase::Stopped)
    }

    /// Goes on to stop, if it does. When to be called again.
    pub(crate) fn poll_leaving(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let Leaving { shutdown, request } = self.leaving.as_mut()?;
        let is_done = match shutdown.phase() {
            Phase::Leaving => request.is_none_or(|request| self.link.take_answer(request).is_some()),
            Phase::Finishing => self.servings.is_empty() && self.lanes.iter().all(|lane| lane.outgoing.is_empty()),
            Phase::Stopping => true,
            Phase::Closing => self.lanes.is_empty(),
            Phase::Stopped => return None,
        };
        let until = shutdown.until();
        if !is_done && cx.now < until {
            return Some(until);
        }
        match shutdown.next(cx.now) {
            Phase::Finishing => {
                if let Some(request) = request.take() {
                    self.link.forget(request);
                }
                for lane in self.lanes.iter_mut().filter(|lane| lane.is_open()) {
                    lane.send_control(&Control::Leaving, cx);
                }
                self.stop_streams(cx);
                self.stop_calls(cx);
            }
            Phase::Closing => {
                for lane in self.lanes.iter_mut().filter(|lane| lane.is_open()) {
                    for outgoing in std::mem::take(&mut lane.outgoing) {
                        lane.send_control(&outgoing.last_record(true), cx);
                        lane.leave(cx);
                    }
                    lane.close();
                }
                self.stop_dials(cx);
                for upgrade in std::mem::take(&mut self.upgrades) {
                    self.drop_upgrade(&upgrade, cx);
                }
                self.link.stop(cx);
            }
            Phase::Stopped => {
                for mut lane in std::mem::take(&mut self.lanes) {
                    lane.drop_now(cx);
                    self.pool.leave(&lane.place);
                }
                self.servings.clear();
            }
            Phase::Leaving | Phase::Stopping => {}
        }
        self.progress = true;
        None
    }
}
