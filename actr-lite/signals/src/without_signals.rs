use std::io;

/// The signal that asks a process to end.
#[derive(Debug)]
pub struct Signals;

impl Signals {
    /// Nothing has to be prepared.
    ///
    /// # Errors
    /// None.
    pub fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    /// There is no service manager to be told.
    pub fn ready(&self, _status: &str) {}

    /// Waits for the next one; its name.
    pub async fn next(&mut self) -> &'static str {
        // Without a console there is nobody who could press the keys.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }

    /// The same; there is no signal for a reload.
    pub async fn next_with(&mut self, _reload: impl FnMut()) -> &'static str {
        self.next().await
    }
}
