//! One peer connection, from its offer to its end.

use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    time::{Duration, Instant},
};

use actr_lite_engine::{begun::Partial, memory::Memory, upgrade::offer::Agreed};
use actr_lite_wire::{
    record::{HEADER_LEN, RecordKind, header},
    websocket::CloseFrame,
};
use bytes::Bytes;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    net::{Protocol, Receive},
};

use crate::{
    assembly::Assembly,
    certificate::Certificate,
    channel::{CHANNELS, Channel, RETRANSMITS},
    datagram::Datagram,
    extension,
    local::Local,
    window::{MAX_ON_THE_WAY, Window},
};

/// How often a connectivity check is sent again, and how long it waits at most. Each is a sign of life for the peer too.
const STUN_RETRANSMITS: usize = 5;
const STUN_MAX_WAIT: Duration = Duration::from_millis(1500);

/// How many channels may be open: those of both sides.
const MAX_CHANNELS: usize = 2 * CHANNELS;

/// How many datagrams of DTLS wait until there is a path: the peer may know it first. Dropped, they would be sent again
/// 0.8 s later.
const MAX_EARLY: usize = 8;

/// A peer connection.
pub(crate) struct Session<M> {
    rtc: Rtc,
    epoch: Instant,
    pending: Option<SdpPendingOffer>,
    /// What both descriptions say; none before there are both.
    agreed: Option<Agreed>,
    /// Where messages are sent. Whoever offers makes them, and sends over no other.
    channels: [Option<ChannelId>; CHANNELS],
    /// Where messages come from.
    open: Vec<(ChannelId, Channel)>,
    assembly: Assembly<M>,
    window: Window,
    /// Something was to be sent over it before it was open.
    awaited: Option<Channel>,
    /// Datagrams that came before there was a path.
    early: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    has_path: bool,
}

/// What comes of a session.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// To be sent.
    Transmit(Datagram),
    /// A channel is open.
    Open,
    /// There is a path.
    Path,
    /// What has come: with the extension any number of records, otherwise one; each with a record's header.
    Record(Bytes),
    /// The peer is about to close it, and says why.
    Goodbye(CloseFrame),
    /// It has ended, and why.
    Ended(String),
    /// There is room for what was refused.
    Writable,
    /// Nothing, until then.
    Wait(Duration),
}

impl<M: Memory> Session<M> {
    fn new(certificate: &Certificate, locals: &[Local], assembly: Assembly<M>, epoch: Instant, now: Duration) -> Self {
        let mut config = Rtc::builder()
            .clear_codecs()
            .set_dtls_cert(certificate.dtls())
            .set_sctp_max_buffered_amount(MAX_ON_THE_WAY)
            .set_stats_interval(None);
        config.set_max_stun_retransmits(STUN_RETRANSMITS);
        config.set_max_stun_rto(STUN_MAX_WAIT);
        let mut session = Self {
            rtc: config.build(epoch + now),
            epoch,
            pending: None,
            agreed: None,
            channels: [None; CHANNELS],
            open: Vec::new(),
            assembly,
            window: Window::default(),
            awaited: None,
            early: VecDeque::new(),
            has_path: false,
        };
        // str0m looks for no path before its clock has begun to run: without this, whoever answers would wait for a check of the
        // peer's, which a NAT keeps out until this side has sent one.
        // What fails here fails at the next poll too, which tells it.
        drop(session.rtc.handle_input(Input::Timeout(epoch + now)));
        for local in locals {
            session.add_local(*local);
        }
        session
    }

    /// One that offers, and its offer.
    pub(crate) fn offer(
        certificate: &Certificate,
        locals: &[Local],
        assembly: Assembly<M>,
        epoch: Instant,
        now: Duration,
    ) -> Option<(Self, String)> {
        let mut session = Self::new(certificate, locals, assembly, epoch, now);
        let mut changes = session.rtc.sdp_api();
        session.channels = Channel::ALL.map(|channel| {
            let id = changes.add_channel_with_config(ChannelConfig {
                label: channel.label().into(),
                ordered: channel.is_reliable(),
                reliability: match channel.is_reliable() {
                    true => Reliability::Reliable,
                    false => Reliability::MaxRetransmits {
                        retransmits: RETRANSMITS,
                    },
                },
                negotiated: None,
                protocol: String::new(),
            });
            Some(id)
        });
        let (offer, pending) = changes.apply()?;
        session.pending = Some(pending);
        let offer = extension::added(&offer.to_sdp_string(), session.assembly.max_record_len());
        Some((session, offer))
    }

    /// One that answers, and its answer.
    pub(crate) fn answer(
        certificate: &Certificate,
        locals: &[Local],
        assembly: Assembly<M>,
        epoch: Instant,
        now: Duration,
        offer: &str,
    ) -> Result<(Self, String), String> {
        let mut session = Self::new(certificate, locals, assembly, epoch, now);
        let mut answer = session.accept_offer(offer)?;
        let agreed = extension::agreed(offer)?;
        if agreed.extended {
            answer = extension::added(&answer, session.assembly.max_record_len());
        }
        session.agreed = Some(agreed);
        Ok((session, answer))
    }

    /// Takes an offer that changes this session; the answer.
    pub(crate) fn accept_offer(&mut self, offer: &str) -> Result<String, String> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| error.to_string())?;
        let answer = self.rtc.sdp_api().accept_offer(offer);
        let answer = answer.map_err(|error| error.to_string())?;
        self.pending = None;
        self.window.forget_path();
        Ok(answer.to_sdp_string())
    }

    /// Takes the answer to its last offer. An answer that comes twice is ignored.
    pub(crate) fn accept_answer(&mut self, answer: &str) -> Result<(), String> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        if self.agreed.is_none() {
            self.agreed = Some(extension::agreed(answer)?);
        }
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| error.to_string())?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(|error| error.to_string())
    }

    /// An offer that looks for another path. The addresses of this host are told anew with it.
    pub(crate) fn restart(&mut self) -> Option<String> {
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        self.window.forget_path();
        Some(offer.to_sdp_string())
    }

    /// What both ends have agreed on, once they have.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// An address of this node; as it is told to the peer, if it is new.
    pub(crate) fn add_local(&mut self, local: Local) -> Option<String> {
        let added = self.rtc.add_local_candidate(local.candidate()?);
        added.map(Candidate::to_sdp_string)
    }

    /// It is none of this node's any more.
    pub(crate) fn remove_local(&mut self, local: Local) {
        if let Some(candidate) = local.candidate() {
            self.rtc.direct_api().invalidate_candidate(&candidate);
        }
    }

    /// An address of the peer.
    pub(crate) fn add_remote(&mut self, candidate: Candidate) {
        self.rtc.add_remote_candidate(candidate);
    }

    /// Takes a datagram. False for one that is not this session's, which is ignored.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        now: Duration,
    ) -> Result<bool, String> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, bytes) else {
            return Ok(false);
        };
        let input = Input::Receive(self.epoch + now, receive);
        if self.rtc.accepts(&input) {
            self.rtc.handle_input(input).map_err(|error| error.to_string())?;
            return Ok(true);
        }
        if !self.has_path && self.early.len() < MAX_EARLY && is_dtls(bytes) {
            self.early.push_back((from, to, bytes.to_vec()));
        }
        Ok(false)
    }

    /// Sends a message, if there is room for it now.
    pub(crate) fn write(&mut self, channel: Channel, message: &[u8], now: Duration) -> Result<bool, String> {
        let Some(id) = self.open_channel(channel) else {
            self.awaited = Some(channel);
            return Ok(false);
        };
        let (len, unsent) = (message.len(), self.unsent());
        // What all channels share may be used up, too.
        let is_written = self.window.has_room(len, unsent, now)
            && match self.rtc.channel(id) {
                Some(mut open) => open.write(true, message).map_err(|error| error.to_string())?,
                None => false,
            };
        match is_written {
            true => self.window.wrote(len, unsent, now),
            false => self.window.refused(len, unsent),
        }
        Ok(is_written)
    }

    /// The channel that messages like these are sent over, if it is open.
    fn open_channel(&self, channel: Channel) -> Option<ChannelId> {
        let id = self.channels[channel.index()];
        id.filter(|id| self.open.iter().any(|(open, _)| open == id))
    }

    /// Whether what could not be sent may be written, now that the peer has confirmed more, or that the channel is open.
    fn has_become_writable(&mut self, now: Duration) -> bool {
        let is_open = self
            .awaited
            .take_if(|channel| self.open.iter().any(|(_, open)| open == channel));
        let unsent = self.unsent();
        self.window.has_room_again(unsent, now) || is_open.is_some()
    }

    /// Says why this side is about to close, if the peer understands that and there is room. Call it when the peer has all
    /// else: other channels may be slower.
    pub(crate) fn say_goodbye(&mut self, reason: &CloseFrame, now: Duration) {
        if self.agreed.is_some_and(|agreed| agreed.extended) {
            let payload = reason.payload();
            let message = [&header(RecordKind::Close, payload.len())[..], &payload].concat();
            // Whoever hears nothing sees the end all the same.
            let _ = self.write(Channel::StreamReliable, &message, now);
        }
    }

    /// What has come in fragments of records that are not whole.
    pub(crate) fn begun(&self) -> Partial {
        self.assembly.begun()
    }

    /// How many bytes the peer has not confirmed.
    pub(crate) fn unsent(&mut self) -> usize {
        let open = self.open.iter();
        open.filter_map(|(id, _)| Some(self.rtc.channel(*id)?.buffered_amount()))
            .sum()
    }

    /// Begins to end: the peer is told.
    pub(crate) fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// What comes next.
    pub(crate) fn poll(&mut self, now: Duration) -> Outcome {
        loop {
            match self.rtc.poll_output() {
                Err(error) => {
                    self.rtc.disconnect();
                    return Outcome::Ended(error.to_string());
                }
                Ok(Output::Transmit(transmit)) => {
                    return Outcome::Transmit(Datagram {
                        from: transmit.source,
                        to: transmit.destination,
                        bytes: transmit.contents.into(),
                    });
                }
                Ok(Output::Event(event)) => {
                    if let Some(outcome) = self.event(event) {
                        return outcome;
                    }
                }
                Ok(Output::Timeout(_)) if !self.rtc.is_alive() => return Outcome::Ended("it is closed".into()),
                Ok(Output::Timeout(at)) => {
                    let wake = at.saturating_duration_since(self.epoch);
                    let early = if self.has_path { self.early.pop_front() } else { None };
                    let fed = match early {
                        Some((from, to, bytes)) => self.receive(from, to, &bytes, now).map(drop),
                        None if wake > now && self.has_become_writable(now) => return Outcome::Writable,
                        None if wake > now => return Outcome::Wait(wake),
                        None => {
                            let timeout = Input::Timeout(self.epoch + now);
                            self.rtc.handle_input(timeout).map_err(|error| error.to_string())
                        }
                    };
                    if let Err(error) = fed {
                        self.rtc.disconnect();
                        return Outcome::Ended(error);
                    }
                }
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Outcome> {
        match event {
            Event::IceConnectionStateChange(state) => {
                let is_there = matches!(state, IceConnectionState::Connected | IceConnectionState::Completed);
                let is_new = is_there && !mem::replace(&mut self.has_path, true);
                is_new.then_some(Outcome::Path)
            }
            Event::ChannelOpen(id, label) => {
                let channel = Channel::labelled(&label)?;
                if self.open.len() == MAX_CHANNELS {
                    self.rtc.disconnect();
                    return Some(Outcome::Ended(format!("it opened more than {MAX_CHANNELS} channels")));
                }
                self.open.push((id, channel));
                // An official node that does not offer may open a channel of its own before it sees this side's of the
                // same name. It sends over that one, and reads this side's.
                self.channels[channel.index()].get_or_insert(id);
                Some(Outcome::Open)
            }
            Event::ChannelClose(id) => {
                let at = self.open.iter().position(|(open, _)| *open == id)?;
                let (_, channel) = self.open.swap_remove(at);
                Some(Outcome::Ended(format!(
                    "the peer closed the channel {}",
                    channel.label()
                )))
            }
            Event::Closed => Some(Outcome::Ended("the peer closed it".into())),
            Event::ChannelData(data) => {
                let lane = self.open.iter().position(|(open, _)| *open == data.id)?;
                let (_, channel) = self.open[lane];
                if self.agreed.is_some_and(|agreed| agreed.extended) {
                    return Some(match goodbye(&data.data) {
                        Some(reason) => Outcome::Goodbye(reason),
                        None => Outcome::Record(data.data.into()),
                    });
                }
                match self.assembly.take((channel, lane), data.data) {
                    Ok(record) => record.map(Outcome::Record),
                    Err(error) => {
                        self.rtc.disconnect();
                        Some(Outcome::Ended(error.to_string()))
                    }
                }
            }
            _ => None,
        }
    }
}

/// The reason in a message that says why the peer closes.
fn goodbye(message: &[u8]) -> Option<CloseFrame> {
    let (kind, payload) = (message.first()?, message.get(HEADER_LEN..)?);
    let is_close = *kind == RecordKind::Close as u8;
    is_close.then(|| CloseFrame::parse(payload).ok().flatten())?
}

/// Whether a datagram is of DTLS, as opposed to STUN (RFC 7983 §7).
pub(crate) fn is_dtls(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (20..64).contains(first))
}

#[cfg(test)]
mod tests;
