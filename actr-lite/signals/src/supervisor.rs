use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
    process,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// The socket of the service manager that has started this process, if it wants to be told anything.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Within how many microseconds the service manager expects to hear something, and from which process.
const WATCHDOG: (&str, &str) = ("WATCHDOG_USEC", "WATCHDOG_PID");

/// How long a message may wait for room in the service manager's queue: it takes what is there within a millisecond, unless
/// the machine is busy, and this program has other things to do.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// The shortest interval of the watchdog: a shorter one would keep a processor busy.
const MIN_WATCHDOG_INTERVAL: Duration = Duration::from_millis(10);

/// A service manager that is told how this process is, by the protocol of `sd_notify(3)`: systemd has it, and others too.
/// Whatever is said is lost if nobody is there.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
}

impl Supervisor {
    /// The one that the environment names, if it names one.
    pub(crate) fn of_environment() -> Self {
        Self::at(env::var_os(SOCKET))
    }

    fn at(name: Option<OsString>) -> Self {
        let socket = name.and_then(|name| open(&name).ok());
        Self { socket }
    }

    /// The process does its work from now on, also after a reload.
    pub(crate) fn ready(&self, status: Option<&str>) {
        match status {
            Some(status) => self.say(&format!("READY=1\nSTATUS={}", status.replace('\n', " "))),
            None => self.say("READY=1"),
        }
    }

    /// It reads its files again; [`Self::ready`] ends that.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// It ends, because of this.
    pub(crate) fn stopping(&self, cause: &str) {
        self.say(&format!("STOPPING=1\nSTATUS=stopping: {}", cause.replace('\n', " ")));
    }

    /// It is alive.
    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nobody could be told that nobody can be told.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)?
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok((socket, address))
}

/// How often to say that this process is alive: half of what the service manager waits for. `None` if it does not.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    let (timeout, pid) = WATCHDOG;
    watchdog_interval_of(env::var(timeout).ok(), env::var(pid).ok(), process::id())
}

fn watchdog_interval_of(timeout: Option<String>, pid: Option<String>, own_pid: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid != own_pid.to_string()) {
        return None;
    }
    let timeout = Duration::from_micros(timeout?.parse().ok().filter(|timeout| *timeout > 0)?);
    Some((timeout / 2).max(MIN_WATCHDOG_INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_told_twice_as_often_as_it_asks_for() {
        let interval =
            |timeout: &str, pid: Option<&str>| watchdog_interval_of(Some(timeout.into()), pid.map(Into::into), 7);
        assert_eq!(interval("10000000", None), Some(Duration::from_secs(5)));
        assert_eq!(interval("10000000", Some("7")), Some(Duration::from_secs(5)));
        assert_eq!(interval("10000000", Some("8")), None, "it is another process's");
        assert_eq!(interval("1", None), Some(MIN_WATCHDOG_INTERVAL));
        assert_eq!(interval("0", None), None);
        assert_eq!(interval("soon", None), None);
        assert_eq!(watchdog_interval_of(None, Some("7".into()), 7), None);
    }

    #[test]
    fn a_status_stays_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::at(Some(path.into()));
        supervisor.ready(Some("serving\nSTOPPING=1"));
        let mut buffer = [0; 100];
        let len = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"READY=1\nSTATUS=serving STOPPING=1");
    }

    #[test]
    fn a_supervisor_that_is_gone_keeps_nobody() {
        for name in ["/no/such/socket", "relative", "@", ""] {
            Supervisor::at(Some(name.into())).ready(None);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _full = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::at(Some(path.into()));
        // Until the queue is full; then one waits for its bound.
        let is_full = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let (socket, address) = supervisor.socket.as_ref().unwrap();
        socket.set_nonblocking(true).unwrap();
        while !socket.send_to_addr(b"WATCHDOG=1", address).is_err_and(is_full) {}
        socket.set_nonblocking(false).unwrap();
        supervisor.alive();
    }
}
