//! A clock that stands still, for what decides by the time.

use tokio::runtime;

/// Runs a model whose clock stands still: loom tries one order after the other, and each has to meet the same times.
pub(crate) fn check(builder: &loom::model::Builder, check: impl Fn() + Sync + Send + 'static) {
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let _stands_still = runtime.enter();
    builder.check(check);
}
