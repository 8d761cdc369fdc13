//! Two nodes that make sessions over WebRTC with each other, one after the other.
//!
//! Real is the [`Negotiation`](actr_lite_webrtc::negotiation::Negotiation) of each node, which decides. Around it stand the
//! application that wants a session (`application`), a connection that checks its path and shakes hands (`connection`),
//! and in `world` the clock, the network and the registry that passes on what the nodes say. `actr-lite/webrtc` has
//! schedules of its own for real connections.

mod application;
mod connection;
mod host;
mod schedule;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{SeedableRng as _, rngs::SmallRng};

use crate::{
    webrtc::{schedule::Schedule, world::World},
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
    // What the code itself asserts is an invariant too.
    let ran = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("no text")))
    });
    let trace = world.trace;
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
            "seed {seed}, at {:?}: {failure}\n\n{text}\n{trace}\n\
             replay with: SIMULATION_SEED={seed} cargo test -p simulation -- one_schedule_of_sessions",
            world.now
        )),
    }
}
