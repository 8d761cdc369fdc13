use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

/// How many spans have ended, and how many the collector has taken: the processor drops in silence what has no room.
#[derive(Debug, Default)]
pub(crate) struct SpanCounts {
    ended: AtomicU64,
    sent: AtomicU64,
}

impl SpanCounts {
    /// How many were not taken.
    pub(crate) fn missing(&self) -> u64 {
        self.ended.load(Relaxed).saturating_sub(self.sent.load(Relaxed))
    }
}

/// Counts the spans that end.
#[derive(Debug)]
pub(crate) struct CountedProcessor {
    inner: BatchSpanProcessor,
    counts: Arc<SpanCounts>,
}

impl CountedProcessor {
    pub(crate) fn new(inner: BatchSpanProcessor, counts: Arc<SpanCounts>) -> Self {
        Self { inner, counts }
    }
}

impl SpanProcessor for CountedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.counts.ended.fetch_add(1, Relaxed);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts the spans that the collector takes.
#[derive(Debug)]
pub(crate) struct CountedExporter<E> {
    inner: E,
    counts: Arc<SpanCounts>,
}

impl<E> CountedExporter<E> {
    pub(crate) fn new(inner: E, counts: Arc<SpanCounts>) -> Self {
        Self { inner, counts }
    }
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let exported = self.inner.export(batch).await;
        if exported.is_ok() {
            self.counts.sent.fetch_add(count, Relaxed);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
