//! A relay in front of a data lane.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A relay in front of a data lane, which records what passes, and cuts the connection after this many bytes of the
/// server.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    pub(super) target: Arc<Mutex<Option<SocketAddr>>>,
    passed: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    pub(super) async fn start(cut_after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            target: Arc::default(),
            passed: Arc::default(),
        };
        let (target, passed) = (Arc::clone(&relay.target), Arc::clone(&relay.passed));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = target.lock().unwrap().unwrap();
                let passed = Arc::clone(&passed);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let (mut from_client, mut from_server) = ([0; 4096], [0; 4096]);
                    let mut downstream = 0;
                    while downstream < cut_after {
                        tokio::select! {
                            read = client.read(&mut from_client) => {
                                let read = read.unwrap_or(0);
                                passed.lock().unwrap().extend(&from_client[..read]);
                                if read == 0 || server.write_all(&from_client[..read]).await.is_err() {
                                    return;
                                }
                            }
                            read = server.read(&mut from_server) => {
                                let read = read.unwrap_or(0);
                                passed.lock().unwrap().extend(&from_server[..read]);
                                if read == 0 || client.write_all(&from_server[..read]).await.is_err() {
                                    return;
                                }
                                downstream += read;
                            }
                        }
                    }
                });
            }
        });
        relay
    }

    pub(super) fn shows(&self, text: &[u8]) -> bool {
        self.passed.lock().unwrap().windows(text.len()).any(|part| part == text)
    }
}
