/// Names the option to change in an error.
pub(crate) fn advice(option: &str) -> String {
    let flag = option.replace('_', "-");
    format!("system.signaling.limits.{option} of the node that hosts it, or --{flag} of actr-lite-registry")
}
