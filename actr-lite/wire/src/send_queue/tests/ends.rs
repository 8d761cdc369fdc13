//! When the last record of a stream leaves.

use super::*;

#[test]
fn the_end_of_a_stream_does_not_overtake_its_frames() {
    let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
    slow_down(&mut queue);
    push_frame(&mut queue, &stream("s"), 1 << 16);
    assert!(write(&mut queue, &mut peer), "a part of the frame has left");
    queue.push_control(&end("s")).unwrap();
    while write(&mut queue, &mut peer) {}
    assert_eq!(peer.kinds(), [RecordKind::StreamReliable, RecordKind::StreamEnd]);
}

#[test]
fn the_end_of_a_stream_overtakes_frames_of_others() {
    for last in [end("s"), error("s")] {
        let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
        slow_down(&mut queue);
        push_frame(&mut queue, &stream("s"), 10);
        while write(&mut queue, &mut peer) {}
        // The names begin alike, and a call's route is no stream.
        push_frame(&mut queue, &stream("s1"), 1 << 20);
        queue.push(
            RecordKind::RpcReliable,
            &frame::stream_id_field(&stream("s")),
            &[0; 1 << 16],
        );
        assert!(write(&mut queue, &mut peer), "a part of the other frame has left");
        queue.push_control(&last).unwrap();
        assert!(write(&mut queue, &mut peer));
        assert_eq!(peer.kinds(), [RecordKind::StreamReliable, last.encode().0], "{last:?}");
    }
}

#[test]
fn the_end_of_a_stream_does_not_overtake_an_older_one() {
    let (mut queue, mut peer) = (queue(Role::Server, true), Peer::new(Role::Server));
    slow_down(&mut queue);
    push_frame(&mut queue, &stream("s"), 1 << 16);
    queue.push_control(&error("s")).unwrap();
    // Its frame leaves, and the error that stands behind it does not yet.
    while peer.records.is_empty() {
        write(&mut queue, &mut peer);
    }
    queue.push_control(&end("s")).unwrap();
    while write(&mut queue, &mut peer) {}
    let ends = [RecordKind::StreamError, RecordKind::StreamEnd];
    assert_eq!(peer.kinds()[1..], ends);
}
