//! `lossy-path LISTEN TARGET LOST REORDERED FIRST`: passes UDP on, and the answers back. Of a thousand datagrams LOST are lost and
//! REORDERED come behind the one after them, in each direction; the first FIRST of each sender are lost, too.

use std::{
    collections::HashMap,
    env,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [listen, target, faults @ ..] = arguments.as_slice() else {
        bail!("no addresses");
    };
    let faults: Vec<u64> = faults.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [lost, reordered, first] = faults[..] else {
        bail!("no faults");
    };
    let target: SocketAddr = target.parse().context("the target")?;
    let socket = Arc::new(UdpSocket::bind(listen).context("the address to listen at")?);
    let ip = socket.local_addr()?.ip();
    let mut senders: HashMap<SocketAddr, (Arc<UdpSocket>, Faults)> = HashMap::new();
    let mut buffer = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut buffer)?;
        let (towards, faults) = match senders.entry(from) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                let towards = Arc::new(UdpSocket::bind((ip, 0))?);
                towards.connect(target)?;
                let (back, answers) = (Arc::clone(&socket), Arc::clone(&towards));
                let mut faults = Faults::new(lost, reordered, 0);
                thread::spawn(move || {
                    let mut buffer = [0; 2048];
                    while let Ok(len) = answers.recv(&mut buffer) {
                        for datagram in faults.pass(&buffer[..len]) {
                            let _ = back.send_to(&datagram, from);
                        }
                    }
                });
                new.insert((towards, Faults::new(lost, reordered, first)))
            }
        };
        for datagram in faults.pass(&buffer[..len]) {
            let _ = towards.send(&datagram);
        }
    }
}

/// What happens to datagrams in one direction, the same each time.
struct Faults {
    lost: u64,
    reordered: u64,
    /// How many are still to be lost, whatever else happens.
    first: u64,
    random: u64,
    held: Option<Vec<u8>>,
}

impl Faults {
    fn new(lost: u64, reordered: u64, first: u64) -> Self {
        Self {
            lost,
            reordered,
            first,
            random: 0x9E37_79B9_7F4A_7C15,
            held: None,
        }
    }

    /// What goes on now.
    fn pass(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        if self.first > 0 {
            self.first -= 1;
            return Vec::new();
        }
        let drawn = self.draw();
        if drawn < self.lost {
            return Vec::new();
        }
        if drawn < self.lost + self.reordered && self.held.is_none() {
            self.held = Some(datagram.to_vec());
            return Vec::new();
        }
        [Some(datagram.to_vec()), self.held.take()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Of a thousand (xorshift).
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 1000
    }
}
