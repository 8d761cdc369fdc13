use actr_lite_wire::identity::StreamId;

/// An id for a new stream: 8 random lowercase letters and digits.
pub fn random_stream_id() -> StreamId {
    StreamId::from_random(rand::random())
}
