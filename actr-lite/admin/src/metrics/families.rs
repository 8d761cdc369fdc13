use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use crate::counts::Durations;

/// The labels of one sample.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes metric families one after the other. A unit stands at the end of a family's name, before `_total`.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A constant fact.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        family.encode_info(&labels)
    }

    /// What only grows.
    pub(super) fn counter<'l, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let encode =
            |sample: &mut MetricEncoder<'_>, value: &V| sample.encode_counter::<NoLabelSet, V, u64>(value, None);
        self.family(name, help, MetricType::Counter, samples, encode)
    }

    /// What is so at the moment.
    pub(super) fn gauge<'l, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, V)>,
    ) -> fmt::Result {
        let encode = |sample: &mut MetricEncoder<'_>, value: &V| sample.encode_gauge(value);
        self.family(name, help, MetricType::Gauge, samples, encode)
    }

    /// How long things took.
    pub(super) fn durations<'l, 'd>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, &'d Durations)>,
    ) -> fmt::Result {
        let encode = |sample: &mut MetricEncoder<'_>, durations: &&Durations| {
            let count = durations.buckets.iter().map(|(_, count)| count).sum();
            let sum = durations.total.as_secs_f64();
            sample.encode_histogram::<NoLabelSet>(sum, count, &durations.buckets, None)
        };
        self.family(name, help, MetricType::Histogram, samples, encode)
    }

    fn family<'l, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'l>, V)>,
        encode: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let (stem, unit) = unit_of(name);
        let mut family = self.0.encode_descriptor(stem, help, unit.as_ref(), kind)?;
        for (labels, value) in samples {
            match labels.is_empty() {
                true => encode(&mut family, &value)?,
                false => encode(&mut family.encode_family(&labels)?, &value)?,
            }
        }
        Ok(())
    }
}

/// A name without its unit, and the unit, of which OpenMetrics writes a line of its own.
fn unit_of(name: &str) -> (&str, Option<Unit>) {
    let units = [("_bytes", Unit::Bytes), ("_seconds", Unit::Seconds)];
    let mut found = units
        .into_iter()
        .filter_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, Some(unit))));
    found.next().unwrap_or((name, None))
}
