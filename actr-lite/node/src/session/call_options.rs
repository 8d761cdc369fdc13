use std::time::Duration;

/// How long a call waits for its answer unless it says otherwise: actr's own default.
pub(crate) const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How a call is made.
#[derive(Debug, Clone)]
pub struct CallOptions {
    /// How long to wait for a connection and the answer. What is left of it travels with the call, and the callee gives
    /// up then too.
    pub timeout: Duration,
    /// Metadata that goes with the request.
    pub metadata: Vec<(String, String)>,
}

impl Default for CallOptions {
    /// 30 s, no metadata.
    fn default() -> Self {
        Self {
            timeout: DEFAULT_CALL_TIMEOUT,
            metadata: Vec::new(),
        }
    }
}
