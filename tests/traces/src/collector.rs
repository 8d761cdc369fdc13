//! Whoever takes traces, on a port of loopback.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use prost::Message as _;

use crate::messages::{Export, Span, text};

/// A collector that takes what comes until the test is over.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    /// Each with the service that sent it.
    spans: Vec<(String, Span)>,
    heads: Vec<String>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Taken>>::default();
        let collector = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming() {
                take(stream.unwrap(), &collector);
            }
        });
        Self { address, taken }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that have come, each with its service.
    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        self.taken.lock().unwrap().spans.clone()
    }

    /// What stood above the bodies of the requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.taken.lock().unwrap().heads.clone()
    }
}

fn take(stream: TcpStream, taken: &Mutex<Taken>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a whole head");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    let export = Export::decode(&*body).unwrap();
    let mut taken = taken.lock().unwrap();
    taken.heads.push(head);
    for of_resource in export.resource_spans {
        let service = text(&of_resource.resource.unwrap_or_default().attributes, "service.name");
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        taken.spans.extend(spans.map(|span| (service.clone(), span)));
    }
    drop(taken);
    let mut stream = &stream;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    let _ = stream.shutdown(Shutdown::Write);
}
