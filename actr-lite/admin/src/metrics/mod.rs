//! The metrics of a program, as OpenMetrics text.
//!
//! Nothing is counted for them: when somebody asks, what the parts have counted anyway is written down.

mod families;
mod node;
mod process;
mod registry;
mod runtime;

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, prometheus_text, text},
    registry::Registry,
};

use crate::counts::{NodeCounts, RegistryCounts};
use families::Families;

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The older format of Prometheus, for tools that know no other.
    Prometheus,
}

impl Format {
    /// What to answer to this `Accept`.
    pub(crate) fn accepted_by(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("text/plain") && !accept.contains("openmetrics") => Self::Prometheus,
            _ => Self::OpenMetrics,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// All that there is to write down at a moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) is_ready: bool,
    /// In seconds since 1970.
    pub(crate) started: f64,
    pub(crate) registry: Option<RegistryCounts>,
    pub(crate) node: Option<NodeCounts>,
}

impl Snapshot {
    /// The text.
    ///
    /// # Errors
    /// None that there could be: it is written into memory.
    pub(crate) fn text(self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut text, &registry)?,
            Format::Prometheus => prometheus_text::encode(&mut text, &registry)?,
        }
        Ok(text)
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        families.info("actr_build", "The version of the runtime", &version)?;
        let ready = [(vec![], u64::from(self.is_ready))];
        families.gauge("actr_ready", "Whether /readyz answers 200", ready)?;
        if let Some(counts) = &self.node {
            node::write(&mut families, counts)?;
        }
        if let Some(counts) = &self.registry {
            registry::write(&mut families, counts)?;
        }
        process::write(&mut families, self.started)?;
        runtime::write(&mut families)
    }
}
