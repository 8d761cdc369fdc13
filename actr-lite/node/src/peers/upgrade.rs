use std::{
    convert::Infallible,
    fmt::Display,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actr_lite_net::{
    complaints::Subject,
    http_socket::{self, HttpSocket, Unreadable},
};
use actr_lite_wire::misbehaviour::MisbehaviourKind;
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::Instant};
use tracing::debug;

use crate::{
    lane::websocket::{socket, upgraded::Upgraded},
    peers::doorkeeper::{Admitted, Doorkeeper},
};

/// The most bytes that an upgrade request may have: a credential takes a few hundred.
const MAX_UPGRADE_LEN: usize = 16 << 10;

/// What is left for an upgrade's head, at least, where a handshake has taken the rest: what has come already is read.
const LEAST_HEADER_TIMEOUT: Duration = Duration::from_millis(100);

struct Accepted {
    admitted: Admitted,
    upgrade: OnUpgrade,
}

/// Answers the upgrade request; the connection only if it was accepted.
pub(super) async fn upgrade(
    doorkeeper: &Doorkeeper,
    socket: TcpStream,
    address: SocketAddr,
) -> Option<(Admitted, Upgraded)> {
    let streams = &doorkeeper.peers.sessions().streams;
    if let Err(error) = socket::set_up(&socket) {
        debug!(peer = %address, reason = %error, "{address}: {error}");
        return None;
    }
    let header_timeout = streams.occupancy.limits().header_timeout.duration();
    let complain = |kind, reason: &dyn Display| streams.complaints.about(kind, &address, reason);
    let deadline = Instant::now() + header_timeout;
    let socket = match HttpSocket::accept(socket, doorkeeper.peers.tls().server.as_ref(), header_timeout).await {
        Ok(socket) => socket,
        Err(rejected) => {
            streams.tally.handshakes_refused.count("tls");
            streams.complaints.about_handshake(&address, &rejected.reason);
            http_socket::turn_away(rejected).await;
            return None;
        }
    };
    let accepted = Arc::new(Mutex::new(None));
    let answered = AtomicBool::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        let accepted = Arc::clone(&accepted);
        let (answered, complain) = (&answered, &complain);
        async move {
            answered.store(true, Ordering::Relaxed);
            let response = match doorkeeper.admit(address, &request).await {
                Ok((admitted, response)) => {
                    let upgrade = hyper::upgrade::on(&mut request);
                    let accept = Accepted { admitted, upgrade };
                    *accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accept);
                    response
                }
                Err(refused) => {
                    streams.tally.handshakes_refused.count(refused.word());
                    if refused.is_misbehaviour() {
                        complain(MisbehaviourKind::RefusedUpgrade, &refused.reason);
                    } else {
                        let reason = &refused.reason;
                        let subject = Subject::of(&address).because(reason);
                        let line = format_args!("refused a data lane connection from {address}: {reason}");
                        streams.complaints.remark(subject, &line);
                    }
                    refused.into_response()
                }
            };
            Ok::<_, Infallible>(response.map(Full::<Bytes>::from))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(
            deadline
                .saturating_duration_since(Instant::now())
                .max(LEAST_HEADER_TIMEOUT),
        )
        .max_buf_size(MAX_UPGRADE_LEN)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let served = (&mut connection).await;
    // One that is upgraded is not hyper's any more.
    if let Some(parts) = connection.into_parts() {
        let unreadable = Unreadable::from_end(&served, &parts.read_buf);
        if let Some(error) = &unreadable
            && !answered.load(Ordering::Relaxed)
        {
            streams.tally.handshakes_refused.count("unreadable");
            complain(MisbehaviourKind::UnreadableRequest, error);
        }
        parts.io.into_inner().end(unreadable.as_ref()).await;
        return None;
    }
    let Accepted { admitted, upgrade } = accepted.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let parts = upgrade.await.ok()?.downcast::<TokioIo<HttpSocket>>().ok()?;
    let leftover = BytesMut::from(parts.read_buf);
    let upgraded = Upgraded {
        stream: parts.io.into_inner().into_inner(),
        leftover,
        agreed: admitted.request.agreed,
    };
    Some((admitted, upgraded))
}
