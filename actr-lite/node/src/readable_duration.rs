use std::time::Duration;

/// A duration as a person writes it. What is left of a timeout is hardly ever whole: it is rounded.
pub(crate) fn readable(duration: Duration) -> String {
    if duration < Duration::from_millis(1) {
        "less than 1 ms".into()
    } else if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
