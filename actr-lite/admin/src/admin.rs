//! What a program tells, and how a request for it is answered.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use actr_lite_clock::rfc3339;
use bytes::Bytes;
use futures_util::stream::unfold;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{
        self, ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue,
        RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    body::Body,
    event_log::EventLog,
    event_stream::EventStream,
    http_lifetime::HttpLifetime,
    metrics::{Format, Snapshot},
    page_file::{CONTENT_SECURITY_POLICY, PageFile},
    paging::Page,
    route::{METHODS, Refused, Route},
    status::{Program, Readiness, Status, WithEvents},
    token::Token,
    view::{NodeView, RegistryView},
};

/// How many may read events at a time: each costs the status once a second. Others ask for it.
const MAX_EVENT_STREAMS: usize = 8;

/// By which a browser says which event it knows.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

const TEXT: &str = "text/plain; charset=utf-8";

/// What one process tells about itself: the parts that are in it, and what happened in them.
pub struct Admin {
    token: Option<Token>,
    events: Arc<EventLog>,
    event_streams: Arc<Semaphore>,
    started: Duration,
    registry: OnceLock<Weak<dyn RegistryView>>,
    node: OnceLock<Weak<dyn NodeView>>,
    /// Set if there is to be a node, which may not be there yet.
    awaits_node: OnceLock<()>,
}

impl Admin {
    /// Of a process without parts. Whoever asks for more than probes do has to show the token, if there is one.
    pub fn new(token: Option<Token>) -> Arc<Self> {
        let events = Arc::<EventLog>::default();
        Arc::new(Self {
            token,
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            started: events.clock().unix_time(),
            events,
            registry: OnceLock::new(),
            node: OnceLock::new(),
            awaits_node: OnceLock::new(),
        })
    }

    /// Whether it has a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Where parts note what happens.
    pub fn events(&self) -> &Arc<EventLog> {
        &self.events
    }

    /// The process has this registry.
    pub fn show_registry(&self, registry: Weak<dyn RegistryView>) {
        let _ = self.registry.set(registry);
    }

    /// The process is to have a node: until it is [shown](Self::show_node), the process is not ready.
    pub fn await_node(&self) {
        let _ = self.awaits_node.set(());
    }

    /// The process has this node.
    pub fn show_node(&self, node: Weak<dyn NodeView>) {
        self.await_node();
        let _ = self.node.set(node);
    }

    /// Whether the process can serve.
    pub fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        match self.registry.get().map(Weak::upgrade) {
            Some(Some(registry)) => reasons.extend(registry.obstacles()),
            Some(None) => reasons.push("the registry has stopped".to_owned()),
            None => {}
        }
        match (self.node.get().map(Weak::upgrade), self.awaits_node.get()) {
            (Some(Some(node)), _) => reasons.extend(node.obstacles()),
            (Some(None), _) => reasons.push("the node has stopped".to_owned()),
            (None, Some(())) => reasons.push("the node is starting".to_owned()),
            (None, None) => {}
        }
        Readiness::from(reasons)
    }

    /// What the process does.
    pub fn status(&self, page: Page) -> Status {
        Status {
            program: Program {
                version: env!("CARGO_PKG_VERSION"),
                started: rfc3339(self.started),
                time: rfc3339(self.events.clock().unix_time()),
            },
            readiness: self.readiness(),
            page: page.number(),
            registry: self
                .registry
                .get()
                .and_then(Weak::upgrade)
                .map(|registry| registry.status(page)),
            node: self.node.get().and_then(Weak::upgrade).map(|node| node.status(page)),
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            is_ready: self.readiness().ready,
            started: self.started.as_secs_f64(),
            registry: self
                .registry
                .get()
                .and_then(Weak::upgrade)
                .map(|registry| registry.counts()),
            node: self.node.get().and_then(Weak::upgrade).map(|node| node.counts()),
        }
    }

    /// Answers a request, whose `Host` and `Origin` were checked, if it has a route here. A stream of events ends when
    /// `stop` is cancelled; `connection` is told that there is one.
    pub fn respond<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        connection: &HttpLifetime,
        stop: &CancellationToken,
    ) -> Option<Response<Body>> {
        let route = Route::of(request.uri().path())?;
        let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let query = request.uri().query();
        let page = match route.admit(request.method(), query, shown, self.token.as_ref()) {
            Ok(page) => page,
            Err(refused) => return Some(refusal(refused)),
        };
        let mut response = match route {
            Route::Livez => text(StatusCode::OK, "the process runs"),
            Route::Readyz => ready(&self.readiness()),
            Route::Page(file) => page_file(file),
            Route::Metrics => {
                let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
                metrics(self.snapshot(), Format::accepted_by(accept))
            }
            Route::Status => {
                let (status, events) = (&self.status(page), &self.events.since(0));
                json(&WithEvents { status, events })
            }
            Route::Events => match Arc::clone(&self.event_streams).try_acquire_owned() {
                Ok(place) => {
                    connection.has_events();
                    self.tell_events(request, page, place, stop.clone())
                }
                Err(_) => too_many_streams(),
            },
        };
        if request.method() == Method::HEAD {
            // hyper sends no body, and the place of a reader is not taken for one.
            *response.body_mut() = Body::default();
        }
        Some(response)
    }

    fn tell_events<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        page: Page,
        place: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) -> Response<Body> {
        let knew = request.headers().get(LAST_EVENT_ID);
        let knew = knew.and_then(|id| id.to_str().ok()?.parse().ok());
        let reader = Reader {
            admin: Arc::clone(self),
            stream: EventStream::new(knew, self.events.clock().now()),
            page,
            latest: self.events.watch(),
            stop,
            _place: place,
        };
        let messages = unfold(reader, |mut reader| async move {
            let said = reader.next().await?;
            Some((Bytes::from(said), reader))
        });
        answer(StatusCode::OK, "text/event-stream", Body::messages(messages))
    }
}

/// Somebody who reads events.
struct Reader {
    admin: Arc<Admin>,
    stream: EventStream,
    page: Page,
    latest: watch::Receiver<u64>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// What it is told next; `None` when that is all.
    async fn next(&mut self) -> Option<String> {
        loop {
            let clock = self.admin.events.clock();
            let now = clock.now();
            if self.stop.is_cancelled() || self.stream.is_over(now) {
                return None;
            }
            self.latest.mark_unchanged();
            let happened = self.admin.events.since(self.stream.known());
            let status = || self.admin.status(self.page);
            if let Some(said) = self.stream.poll(now, happened, status) {
                return Some(said);
            }
            tokio::select! {
                // Its sender lives as long as the log.
                _ = self.latest.changed() => {}
                () = sleep(self.stream.next_look().saturating_sub(clock.now())) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}

fn page_file(file: &PageFile) -> Response<Body> {
    let mut response = answer(StatusCode::OK, file.content_type, Body::from(file.text));
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn ready(readiness: &Readiness) -> Response<Body> {
    match readiness.ready {
        true => text(StatusCode::OK, "ready"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, &readiness.reasons.join("\n")),
    }
}

fn refusal(refused: Refused) -> Response<Body> {
    let (status, line, header) = match refused {
        Refused::Method => (
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET or HEAD here",
            Some((ALLOW, METHODS)),
        ),
        Refused::NoToken => (
            StatusCode::UNAUTHORIZED,
            "this needs the header Authorization: Bearer TOKEN, with the token of the file that token_file in \
             [system.admin], or --admin-token-file, names",
            Some((WWW_AUTHENTICATE, "Bearer")),
        ),
        Refused::WrongToken => (
            StatusCode::UNAUTHORIZED,
            "this is not the token of this program",
            Some((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")),
        ),
        Refused::Page => (StatusCode::BAD_REQUEST, "page has to be a number from 1", None),
    };
    let mut response = text(status, line);
    let header = header.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(header);
    response
}

fn too_many_streams() -> Response<Body> {
    let line = format!("{MAX_EVENT_STREAMS} readers of events are here already; ask for /api/v1/status instead");
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, &line);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// An answer that is not the one that was asked for, and why. It is the last of its connection.
pub(crate) fn refuse(status: StatusCode, line: &str) -> Response<Body> {
    let mut response = text(status, line);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn text(status: StatusCode, line: &str) -> Response<Body> {
    answer(status, TEXT, Body::from(format!("{line}\n")))
}

fn metrics(snapshot: Snapshot, format: Format) -> Response<Body> {
    match snapshot.text(format) {
        Ok(text) => answer(StatusCode::OK, format.content_type(), Body::from(text)),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(json) => answer(StatusCode::OK, "application/json", Body::from(json)),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
