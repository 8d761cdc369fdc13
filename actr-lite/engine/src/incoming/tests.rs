use proptest::{collection::vec, prelude::*};

use super::*;

const NOW: Duration = Duration::ZERO;

fn id(text: &str) -> StreamId {
    text.parse().unwrap()
}

fn any_amount(_: usize) -> bool {
    true
}

#[test]
fn a_cancelled_stream_is_unwanted_until_its_sender_confirms() {
    let mut streams = IncomingStreams::new(NOW);
    streams.bind(id("a"), 1);
    assert_eq!(streams.route("a"), Route::To(1));
    assert!(streams.cancel(&id("a"), NOW, any_amount));
    assert!(!streams.cancel(&id("a"), NOW, any_amount), "the sender is told once");
    assert_eq!(streams.route("a"), Route::Unwanted);
    assert_eq!(streams.finish("a", NOW), Finished::Unwanted);
    assert_eq!(streams.route("a"), Route::Unknown);
    assert_eq!(streams.unwanted_cost(), 0);
    streams.bind(id("a"), 2);
    assert_eq!(
        streams.finish("a", NOW),
        Finished::Fed(2),
        "a later one of the same name"
    );
}

#[test]
fn a_connection_is_unused_from_the_end_of_its_last_stream_on() {
    let mut streams = IncomingStreams::new(Duration::from_secs(1));
    assert_eq!(streams.unused_since(), Some(Duration::from_secs(1)));
    streams.bind(id("a"), ());
    streams.bind(id("b"), ());
    assert_eq!(streams.unused_since(), None);
    streams.finish("a", Duration::from_secs(2));
    assert_eq!(streams.unused_since(), None);
    streams.finish("b", Duration::from_secs(3));
    assert_eq!(streams.unused_since(), Some(Duration::from_secs(3)));
    streams.finish("c", Duration::from_secs(4));
    assert_eq!(streams.unused_since(), Some(Duration::from_secs(3)));
}

#[test]
fn a_connection_that_is_gone_gives_back_all_it_fed() {
    let mut streams = IncomingStreams::new(NOW);
    for (name, inbox) in [("a", 1), ("b", 2)] {
        streams.bind(id(name), inbox);
    }
    assert_eq!(streams.take_all(), [1, 2]);
    assert_eq!(streams.route("a"), Route::Unknown);
    assert_eq!(streams.take_all(), []);
}

#[test]
fn no_name_is_forgotten_as_long_as_there_is_room() {
    let mut streams = IncomingStreams::<()>::new(NOW);
    let names: Vec<String> = (1000..1000 + 4096).map(|number| number.to_string()).collect();
    // An entry costs 96 bytes and its name.
    let room = 4096 * (96 + 4);
    for name in &names {
        assert!(streams.refuse(id(name), |total| total <= room));
    }
    assert!(names.iter().all(|name| streams.route(name) == Route::Unwanted));
    assert_eq!(streams.unwanted_cost(), room);
    assert!(streams.refuse(id("another"), any_amount), "there may be only so many");
    let known = names.iter().filter(|name| streams.route(name) == Route::Unwanted);
    assert_eq!(known.count(), 4095);
    assert_eq!(streams.route("another"), Route::Unwanted);
}

#[test]
fn a_peer_over_its_share_is_refused_again_and_again() {
    let mut streams = IncomingStreams::<()>::new(NOW);
    let room = 2 * cost(&id("a"));
    for name in ["a", "b", "c", "d"] {
        assert!(streams.refuse(id(name), |total| total <= room), "{name} is refused");
        assert!(streams.unwanted_cost() <= room);
        assert_eq!(streams.route(name), Route::Unwanted, "another one is forgotten");
    }
    assert!(!streams.refuse(id("d"), any_amount), "that is known");
    assert!(streams.refuse(id("e"), |_| false), "no room for any name");
    assert_eq!(streams.route("e"), Route::Unknown);
}

proptest! {
    #[test]
    fn names_cost_what_is_remembered_and_are_bounded(names in vec("[a-z]{1,3}", 0..200), room in 0usize..20_000) {
        let mut streams = IncomingStreams::<()>::new(NOW);
        for name in names {
            streams.refuse(id(&name), |total| total <= room);
            let total: usize = streams.unwanted.iter().map(cost).sum();
            prop_assert_eq!(streams.unwanted_cost(), total);
            prop_assert!(total <= room);
        }
    }
}
