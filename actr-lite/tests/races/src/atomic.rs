pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
