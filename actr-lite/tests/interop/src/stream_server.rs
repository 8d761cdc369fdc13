//! The service of the shipped server, `protos/stream_server.proto`, as a workload of the published runtime.

use std::time::Duration;

use actr_framework::{Context, DataChunk, Dest, MessageDispatcher, Workload};
use actr_protocol::{ActorResult, ActrError, ActrId, ActrType, PayloadType, RpcEnvelope, RpcRequest, ServiceSpec};
use actr_service_compat::{ProtoFile, ServiceSpecInput, build_service_spec};
use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use protos::stream_server::RegisterStreamResponse;
use tokio::{sync::mpsc, time::sleep};

/// The route of the one call that there is.
pub const ROUTE: &str = "stream_server.StreamServer.RegisterStream";

const PROTO: &str = include_str!("../../../../protos/stream_server.proto");

/// The type of the shipped server.
pub fn actr_type() -> ActrType {
    ActrType {
        manufacturer: "acme".into(),
        name: "StreamEchoServer".into(),
        version: "1.0.0".into(),
    }
}

/// The contract as the published software describes it, with the fingerprint that it calculates.
///
/// # Errors
/// If it can't read the proto file.
pub fn service_spec() -> anyhow::Result<ServiceSpec> {
    let proto = ProtoFile {
        name: "stream_server.proto".into(),
        content: PROTO.into(),
        path: None,
    };
    let input = ServiceSpecInput {
        name: "StreamEchoServer",
        description: None,
        tags: Vec::new(),
        proto_files: vec![proto],
    };
    Ok(build_service_spec(input)?)
}

/// `stream_server.RegisterStreamRequest`, for the published runtime.
#[derive(Clone, PartialEq, Message)]
pub struct RegisterStream {
    /// Which stream.
    #[prost(string, tag = "1")]
    pub stream_id: String,
    /// How many frames.
    #[prost(int32, tag = "2")]
    pub message_count: i32,
}

impl RpcRequest for RegisterStream {
    type Response = RegisterStreamResponse;

    fn route_key() -> &'static str {
        ROUTE
    }
}

/// The text of a frame, but for who sends it.
pub fn text(number: i32, stream_id: &str) -> String {
    format!(" Stream message {number} for {stream_id}")
}

/// What the frames of a server are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// How many bytes stand before what each has anyway.
    pub padding: usize,
    /// Whether they are latency-first, with a [pause](LATENCY_FIRST_PAUSE) behind each.
    pub are_latency_first: bool,
}

/// The pause behind each frame of a latency-first stream: such a sender does not wait for its receiver.
pub const LATENCY_FIRST_PAUSE: Duration = Duration::from_millis(1);

impl Frames {
    /// Short, and none is lost.
    pub const SHORT: Self = Self {
        padding: 0,
        are_latency_first: false,
    };

    /// The payload of one.
    pub fn payload(self, sender: &str, number: i32, stream_id: &str) -> String {
        format!("{}[{sender}]{}", "-".repeat(self.padding), text(number, stream_id))
    }
}

/// What a server does when a stream is registered.
#[derive(Debug)]
pub enum StreamServer {
    /// It sends the frames.
    Sends(Frames),
    /// It tells who asked for what, and sends nothing.
    Reports(mpsc::UnboundedSender<(ActrId, RegisterStream)>),
}

#[async_trait]
impl Workload for StreamServer {
    type Dispatcher = StreamServerDispatcher;
}

/// Decodes and answers calls.
#[derive(Debug)]
pub struct StreamServerDispatcher;

#[async_trait]
impl MessageDispatcher for StreamServerDispatcher {
    type Workload = StreamServer;

    async fn dispatch<C: Context>(server: &StreamServer, envelope: RpcEnvelope, ctx: &C) -> ActorResult<Bytes> {
        if envelope.route_key != ROUTE {
            return Err(ActrError::UnknownRoute(envelope.route_key));
        }
        let request = RegisterStream::decode(envelope.payload.unwrap_or_default())
            .map_err(|error| ActrError::InvalidArgument(error.to_string()))?;
        let caller = ctx.caller_id().cloned();
        let caller = caller.ok_or_else(|| ActrError::InvalidArgument("nobody calls".into()))?;
        match server {
            StreamServer::Sends(frames) => drop(tokio::spawn(send(ctx.clone(), caller, request, *frames))),
            // A test that wants to know no more has got what it wants.
            StreamServer::Reports(asked) => drop(asked.send((caller, request))),
        }
        let response = RegisterStreamResponse {
            success: true,
            message: "registered by an official node".into(),
        };
        Ok(response.encode_to_vec().into())
    }
}

async fn send<C: Context>(ctx: C, caller: ActrId, request: RegisterStream, frames: Frames) {
    let lane = match frames.are_latency_first {
        true => PayloadType::StreamLatencyFirst,
        false => PayloadType::StreamReliable,
    };
    for number in 1..=request.message_count {
        let frame = DataChunk {
            stream_id: request.stream_id.clone(),
            sequence: u64::from(number.unsigned_abs()),
            payload: frames.payload("official", number, &request.stream_id).into(),
            metadata: Vec::new(),
            timestamp_ms: None,
        };
        let dest = Dest::Peer(caller.clone());
        if let Err(error) = ctx.send_data_chunk(&dest, frame, lane).await {
            // The receiver reports what is missing; this reports why.
            ctx.log(actr_framework::LogLevel::Error, &format!("frame {number}: {error}"));
            return;
        }
        if frames.are_latency_first {
            sleep(LATENCY_FIRST_PAUSE).await;
        }
    }
}
