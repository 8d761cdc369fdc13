use std::{env, ffi::OsStr, path::Path, sync::Arc, time::Duration};

use actr_lite::ActrSystem;
use actr_lite_terminal::SpanLayer;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};
use tracing::{Level, level_filters::LevelFilter, warn};
use tracing_subscriber::{Layer as _, filter::filter_fn};

use crate::traces::{
    counted::{CountedExporter, CountedProcessor, SpanCounts},
    http_client::OtlpClient,
    otel_contexts::OtelContexts,
};

/// Where the collector is: without one of these nothing is sent.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Turns everything off, by `true`.
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// What is used to send traces: `otlp`, which is what this does, or `none`.
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

/// How long the last spans may take to leave at a program's end: ten times what a collector on the same continent takes, and
/// a stop is over within 10 s with it.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// What the names of the runtime's modules begin with.
const RUNTIME: &str = "actr_lite";

/// The spans of a program, sent to a collector as the environment says.
#[derive(Debug)]
pub(crate) struct Traces {
    running: Option<Running>,
    problem: Option<String>,
}

#[derive(Debug)]
struct Running {
    provider: SdkTracerProvider,
    counts: Arc<SpanCounts>,
}

impl Traces {
    /// Begins to send them if the environment names a collector: what takes the spans then. Nothing waits for the collector,
    /// or fails because of it.
    pub(crate) fn start() -> (Self, Option<SpanLayer>) {
        if !is_wanted() {
            return (Self::none(None), None);
        }
        match Running::start() {
            Ok(running) => {
                let layer = running.layer();
                let running = Some(running);
                (Self { running, problem: None }, Some(layer))
            }
            Err(error) => (Self::none(Some(error.to_string())), None),
        }
    }

    fn none(problem: Option<String>) -> Self {
        Self { running: None, problem }
    }

    /// The node's spans are those that are sent.
    pub(crate) fn followed_by(system: ActrSystem) -> ActrSystem {
        system.with_span_contexts(Arc::new(OtelContexts))
    }

    /// Says in the log why nothing is sent, if that is not as the environment wants it.
    pub(crate) fn say_problem(&self) {
        if let Some(problem) = &self.problem {
            warn!(reason = %problem, "no traces are sent: {problem}; check the variables that begin with OTEL_");
        }
    }

    /// Sends what is left, at most for [`END_TIMEOUT`].
    pub(crate) fn end(self) {
        let Some(Running { provider, counts }) = self.running else {
            return;
        };
        // What went wrong is told by what is missing.
        let _ = provider.shutdown_with_timeout(END_TIMEOUT);
        let missing = counts.missing();
        if missing > 0 {
            warn!(
                spans = missing,
                "{missing} spans were not sent: the collector did not take them in time"
            );
        }
    }
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let counts = Arc::<SpanCounts>::default();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OtlpClient::from_environment()?)
            .build()?;
        let exporter = CountedExporter::new(exporter, Arc::clone(&counts));
        let processor = BatchSpanProcessor::builder(exporter).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(CountedProcessor::new(processor, Arc::clone(&counts)))
            .build();
        Ok(Self { provider, counts })
    }

    /// Takes the spans of the runtime, and those of the application that it makes at INFO or above; no lines of the log, of
    /// which there may be one for each frame.
    fn layer(&self) -> SpanLayer {
        let is_taken = |metadata: &tracing::Metadata<'_>| {
            metadata.is_span() && (metadata.target().starts_with(RUNTIME) || *metadata.level() <= Level::INFO)
        };
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("actr-lite"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_taken).with_max_level_hint(LevelFilter::DEBUG))
            .boxed()
    }
}

fn is_wanted() -> bool {
    let is =
        |name, value: &str| env::var_os(name).is_some_and(|set: std::ffi::OsString| set.eq_ignore_ascii_case(value));
    let has_endpoint = ENDPOINTS
        .iter()
        .any(|name| env::var_os(name).is_some_and(|set| !set.is_empty()));
    has_endpoint && !is(DISABLED, "true") && !is(EXPORTER, "none")
}

/// What the environment says of this program; its own name if it gives none.
fn resource() -> Resource {
    let names_service = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let resource = Resource::builder();
    if names_service {
        return resource.build();
    }
    let called = env::args_os().next().unwrap_or_default();
    let name = Path::new(&called)
        .file_name()
        .unwrap_or_else(|| OsStr::new("actr-lite"));
    resource.with_service_name(name.to_string_lossy().into_owned()).build()
}
