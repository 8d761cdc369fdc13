//! What a fault did to the streams that met it: frames lost and duplicated, and the time until the next one came.

use std::{
    env, fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use programs::Finished;
use serde::{Deserialize, Serialize};

use crate::{received::received, summary::Summary};

/// Names the file to which each fault test appends a line, for the table that `fault_table` makes of it.
pub const FAULT_REPORT: &str = "FAULT_REPORT";

/// What a fault did, in all runs of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    fault: String,
    runs: u64,
    /// How many frames were asked for.
    frames: u64,
    /// How many of them were not handed over.
    lost: u64,
    /// How many were handed over again.
    duplicated: u64,
    /// How long after each fault the next frame was handed over, in milliseconds.
    recoveries_ms: Vec<u64>,
}

impl FaultReport {
    /// No run yet.
    pub fn new(fault: &str) -> Self {
        Self {
            fault: fault.into(),
            runs: 0,
            frames: 0,
            lost: 0,
            duplicated: 0,
            recoveries_ms: Vec::new(),
        }
    }

    /// Counts a client that has ended, which was run with `--json` and was to get `expected` frames. What it says in
    /// its summary is compared with its log, if that names each frame.
    ///
    /// # Panics
    /// If it printed no summary, or contradicts itself.
    #[track_caller]
    pub fn count(&mut self, client: &Finished, expected: u64) -> Summary {
        let summary = Summary::of(client);
        assert_eq!(summary.expected, expected, "{summary:?}");
        self.runs += 1;
        self.frames += expected;
        self.lost += summary.missing;
        let different = expected.saturating_sub(summary.missing);
        self.duplicated += summary.received.saturating_sub(different);
        if (summary.received, summary.missing) == (expected, 0) {
            assert_eq!(summary.bytes, summary.bytes_of_all(), "{summary:?}");
        }
        let logged = received(&client.stderr);
        if let Some(last) = logged.last() {
            let in_order: Vec<u64> = (1..=*last).collect();
            assert_eq!(logged, in_order, "what was handed over is not in order");
            assert_eq!(summary.received, *last, "{summary:?}");
        }
        summary
    }

    /// Counts how long it took from a fault to the next frame.
    pub fn recovered_after(&mut self, time: Duration) {
        self.recoveries_ms
            .push(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Counts other runs with the same fault.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.frames += other.frames;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.recoveries_ms.extend(&other.recoveries_ms);
    }

    /// Appends this to the file that [`FAULT_REPORT`] names, if it names one; then nothing may be lost or duplicated.
    ///
    /// # Panics
    /// If something was, or the file can't be written.
    #[track_caller]
    pub fn finish(self) {
        if let Some(path) = env::var_os(FAULT_REPORT) {
            let written = self.append_to(Path::new(&path));
            written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        self.assert_nothing_lost();
    }

    #[track_caller]
    fn assert_nothing_lost(&self) {
        assert!(self.runs > 0 && self.frames > 0, "nothing was tested: {self:?}");
        assert_eq!((self.lost, self.duplicated), (0, 0), "lost and duplicated: {self:?}");
    }

    /// In one piece, as other tests append at the same time.
    fn append_to(&self, path: &Path) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?
            .write_all(&line)
    }

    /// The table of a file that tests have appended to: a row for each fault, in the order of its first line.
    ///
    /// # Errors
    /// If a line is not one of these reports.
    pub fn table(lines: &str) -> anyhow::Result<String> {
        let mut rows: Vec<Self> = Vec::new();
        for line in lines.lines() {
            let report: Self = serde_json::from_str(line).with_context(|| format!("not a report: {line}"))?;
            match rows.iter_mut().find(|row| row.fault == report.fault) {
                Some(row) => row.add(&report),
                None => rows.push(report),
            }
        }
        let head = "| fault | runs | frames | lost | duplicated | recovery, median | worst |\n\
                    |---|---|---|---|---|---|---|\n";
        Ok(rows
            .iter()
            .fold(head.to_owned(), |table, row| table + &row.row() + "\n"))
    }

    fn row(&self) -> String {
        let mut times = self.recoveries_ms.clone();
        times.sort_unstable();
        let shown = |time: Option<&u64>| match time {
            Some(ms @ 0..10_000) => format!("{ms} ms"),
            Some(ms) => format!("{:.1} s", Duration::from_millis(*ms).as_secs_f64()),
            None => "–".into(),
        };
        let (median, worst) = (shown(times.get(times.len() / 2)), shown(times.last()));
        let Self {
            fault,
            runs,
            frames,
            lost,
            duplicated,
            ..
        } = self;
        format!("| {fault} | {runs} | {frames} | {lost} | {duplicated} | {median} | {worst} |")
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn report(fault: &str, recoveries_ms: Vec<u64>) -> String {
        let report = FaultReport {
            runs: 1,
            frames: 100,
            recoveries_ms,
            ..FaultReport::new(fault)
        };
        serde_json::to_string(&report).unwrap()
    }

    /// A client that has ended, by its summary and the frames in its log.
    fn client(received: u64, missing: u64, logged: &[u64]) -> Finished {
        let lines = logged
            .iter()
            .map(|number| format!("DEBUG Received: [server] Stream message {number} for abc\n"));
        Finished {
            status: ExitStatus::default(),
            stdout: format!(
                r#"{{"stream_id":"abc","expected":3,"received":{received},"bytes":0,"duration_ms":1,"missing":{missing},
                "out_of_order":0,"resumes":0,"duplicates":0,"servers":[]}}"#
            )
            .replace('\n', ""),
            stderr: lines.collect(),
        }
    }

    #[test]
    fn frames_that_are_missing_or_come_again_are_counted() {
        let mut report = FaultReport::new("any");
        report.count(&client(2, 1, &[]), 3);
        report.count(&client(5, 0, &[]), 3);
        let counted = (report.runs, report.frames, report.lost, report.duplicated);
        assert_eq!(counted, (2, 6, 1, 2));
    }

    #[test]
    #[should_panic(expected = "what was handed over is not in order")]
    fn a_log_with_a_frame_twice_is_believed_more_than_the_summary() {
        FaultReport::new("any").count(&client(2, 1, &[1, 2, 2]), 3);
    }

    #[test]
    fn the_table_has_median_and_worst_of_each_fault() {
        let lines = [
            report("cut", vec![30, 10]),
            report("killed", vec![]),
            report("cut", vec![12_340]),
        ];
        let table = FaultReport::table(&lines.join("\n")).unwrap();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| cut | 2 | 200 | 0 | 0 | 30 ms | 12.3 s |",
                "| killed | 1 | 100 | 0 | 0 | – | – |"
            ]
        );
        assert!(FaultReport::table("{}").is_err());
    }

    #[test]
    #[should_panic(expected = "lost and duplicated")]
    fn a_lost_frame_fails_the_test() {
        FaultReport {
            runs: 1,
            frames: 100,
            lost: 1,
            ..FaultReport::new("any")
        }
        .assert_nothing_lost();
    }
}
