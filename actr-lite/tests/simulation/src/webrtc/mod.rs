//! Two nodes that make sessions over WebRTC with each other, one after the other.
//!
//! Real is the [`Negotiation`](actr_lite_webrtc::negotiation::Negotiation) of each node, which decides. Around it stand the
//! application that wants a session (`application`), a connection that checks its path and shakes hands (`connection`),
//! and in `world` the clock, the network and the registry that passes on what the nodes say. `actr-lite/webrtc` has
//! schedules of its own for real connections.
//!
//! In `glare` the other node is an `official` one, whose behaviour when both begin at once is modelled.

mod application;
mod connection;
mod glare;
mod host;
mod official;
mod schedule;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{SeedableRng as _, rngs::SmallRng};

use crate::{
    trace::Trace,
    webrtc::{glare::Glare, schedule::Schedule, world::World},
    world::{Counts, Outcome},
};

/// Runs the schedule of a seed to its end.
///
/// # Errors
/// When an invariant does not hold: a text that says which, and what led to it.
pub fn run(seed: u64) -> Result<Outcome, String> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let schedule = Schedule::draw(&mut rng);
    let text = schedule.to_string();
    let mut world = World::new(schedule, rng);
    let ran = caught(|| world.run()).map_err(|failure| format!("at {:?}: {failure}\n\n{text}", world.now));
    outcome(ran, world.trace, seed, "one_schedule_of_sessions")
}

/// Runs the schedule of a seed in which this node and an official one want a session at about the same time.
///
/// # Errors
/// As [`run`] fails.
pub fn run_with_official(seed: u64) -> Result<Outcome, String> {
    let mut glare = Glare::new(SmallRng::seed_from_u64(seed));
    let ran = caught(|| glare.run()).map_err(|failure| format!("at {:?}: {failure}\n", glare.now));
    outcome(ran, glare.trace, seed, "one_schedule_with_an_official_node")
}

/// What the code itself asserts is an invariant too.
fn caught(run: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("no text")))
    })
}

fn outcome(ran: Result<(), String>, trace: Trace, seed: u64, replay: &str) -> Result<Outcome, String> {
    match ran {
        Ok(()) => {
            let events = trace.events().clone();
            let counts = Counts {
                events,
                ..Counts::default()
            };
            Ok(Outcome { counts, trace })
        }
        Err(failure) => Err(format!(
            "seed {seed}, {failure}\n{trace}\n\
             replay with: SIMULATION_SEED={seed} cargo test -p simulation -- {replay}"
        )),
    }
}
