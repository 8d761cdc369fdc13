//! Reads OpenMetrics text (version 1.0), and refuses what it does not allow.

use std::collections::{BTreeMap, BTreeSet};

/// What was exported.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// The names of all series' families, as one writes them in a query.
    pub(crate) names: BTreeSet<String>,
    /// Each sample by its name and labels, as they stand in the text.
    samples: BTreeMap<String, f64>,
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    has_help: bool,
}

impl Exposition {
    /// Reads a whole text.
    ///
    /// # Errors
    /// Which line breaks which rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
        let mut exposition = Self::default();
        let (mut family, mut seen) = (Family::default(), BTreeSet::new());
        for line in body.lines() {
            let rule = |rule: &str| format!("{rule}: {line}");
            if let Some(metadata) = line.strip_prefix("# ") {
                let (keyword, rest) = metadata.split_once(' ').ok_or_else(|| rule("metadata"))?;
                let (name, value) = rest.split_once(' ').ok_or_else(|| rule("metadata"))?;
                if name != family.name {
                    check(seen.insert(name.to_owned()) && is_name(name), || {
                        rule("a family is written twice")
                    })?;
                    family = Family {
                        name: name.into(),
                        ..Family::default()
                    };
                }
                match keyword {
                    "HELP" => family.has_help = true,
                    "TYPE" => {
                        family.kind = value.into();
                        exposition.names.insert(format!("{name}{}", family.suffix()));
                    }
                    "UNIT" => check(name.ends_with(&format!("_{value}")), || rule("the name lacks its unit"))?,
                    _ => return Err(rule("unknown metadata")),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').ok_or_else(|| rule("no value"))?;
            let value: f64 = value.parse().map_err(|_| rule("the value is no number"))?;
            let name = series.split('{').next().unwrap_or_default();
            check(family.has_help && family.owns(name), || {
                rule("no sample of the family above")
            })?;
            check(labels_of(series).is_some(), || rule("labels"))?;
            let may_fall = family.kind == "gauge";
            check(may_fall || (value.is_finite() && value >= 0.0), || rule("a counter"))?;
            let is_new = exposition.samples.insert(series.into(), value).is_none();
            check(is_new, || rule("a series is written twice"))?;
        }
        exposition.check_histograms()?;
        Ok(exposition)
    }

    /// The value of a series; the labels as they stand in the text.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.samples.get(series);
        *value.unwrap_or_else(|| panic!("no {series} in {:?}", self.samples.keys()))
    }

    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, value) in &self.samples {
            let Some((name, labels)) = series.split_once("_bucket{") else {
                continue;
            };
            let labels = labels_of(&format!("{{{labels}")).unwrap_or_default();
            let (bound, others): (Vec<_>, Vec<_>) = labels.into_iter().partition(|(label, _)| label == "le");
            let bound = bound.first().ok_or_else(|| format!("no le: {series}"))?;
            let bound = bound
                .1
                .replace("+Inf", "inf")
                .parse()
                .map_err(|_| format!("le: {series}"))?;
            let others: Vec<_> = others
                .iter()
                .map(|(label, value)| format!("{label}=\"{value}\""))
                .collect();
            let key = format!("{name}_count{{{}}}", others.join(","));
            buckets.entry(key).or_default().push((bound, *value));
        }
        for (count, mut buckets) in buckets {
            buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            check(buckets.is_sorted_by_key(|(_, value)| *value), || {
                format!("buckets fall: {count}")
            })?;
            let last = buckets.last().filter(|(bound, _)| bound.is_infinite());
            check(last.map(|(_, value)| value) == self.samples.get(&count), || {
                format!("+Inf is not all: {count}")
            })?;
        }
        Ok(())
    }
}

impl Family {
    fn suffix(&self) -> &'static str {
        match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        }
    }

    /// Whether a sample of this name belongs to it.
    fn owns(&self, sample: &str) -> bool {
        let suffixes: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "info" => &["_info"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[],
        };
        let suffix = sample.strip_prefix(&self.name);
        suffix.is_some_and(|suffix| suffixes.contains(&suffix))
    }
}

fn check(holds: bool, error: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(error()) }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(is_allowed) && name.starts_with(|first: char| first.is_ascii_lowercase())
}

/// The labels of a series; `None` if they are not well formed, or one is there twice.
fn labels_of(series: &str) -> Option<Vec<(String, String)>> {
    let Some((_, labels)) = series.split_once('{') else {
        return Some(Vec::new());
    };
    let mut rest = labels.strip_suffix('}')?;
    let mut found: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"")?;
        let end = after.find('"').filter(|end| !after[..*end].contains(['\\', '\n']))?;
        if !is_name(label) || found.iter().any(|(other, _)| other == label) {
            return None;
        }
        found.push((label.into(), after[..end].into()));
        rest = &after[end + 1..];
        rest = match rest.strip_prefix(',') {
            Some(rest) if !rest.is_empty() => rest,
            None if rest.is_empty() => rest,
            _ => return None,
        };
    }
    Some(found)
}

#[test]
fn what_open_metrics_does_not_allow_is_refused() {
    let good =
        "# HELP a_seconds x\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{b=\"c\"} 1\n# EOF\n";
    assert_eq!(Exposition::parse(good).unwrap().value("a_seconds_total{b=\"c\"}"), 1.0);
    for (from, to) in [
        ("# EOF\n", ""),
        ("a_seconds_total{", "a_seconds{"),
        ("} 1", "} -1"),
        ("} 1", "} one"),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("b=\"c\"", "b=\"c\",b=\"d\""),
        ("b=\"c\"", "b=\"c\",,"),
        ("b=\"c\"", "B=\"c\""),
        ("# HELP a_seconds x\n", ""),
        ("# EOF", "a_seconds_total{b=\"c\"} 2\n# EOF"),
        ("# EOF", "# HELP b x\n# TYPE b gauge\nb 1\n# HELP a_seconds x\n# EOF"),
    ] {
        assert!(good.contains(from), "{from}");
        Exposition::parse(&good.replace(from, to)).unwrap_err();
    }
    let histogram = "# HELP a x\n# TYPE a histogram\na_sum 1\na_count{r=\"s\"} 2\na_bucket{le=\"1.0\",r=\"s\"} 1\na_bucket{le=\"+Inf\",r=\"s\"} 2\n# EOF\n";
    Exposition::parse(histogram).unwrap();
    Exposition::parse(&histogram.replace("le=\"1.0\",r=\"s\"} 1", "le=\"1.0\",r=\"s\"} 3")).unwrap_err();
    Exposition::parse(&histogram.replace("_count{r=\"s\"} 2", "_count{r=\"s\"} 3")).unwrap_err();
}
