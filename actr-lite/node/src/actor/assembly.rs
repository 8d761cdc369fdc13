use std::sync::{Arc, Weak};

use actr_lite_admin::event_log::EventLog;
use actr_lite_net::ClearText;
use actr_lite_registry_client::RegistryLink;
use actr_lite_tls::Tls;
use actr_lite_wire::{
    acl::Acl,
    identity::{ActrId, ActrType},
    record_limit::RecordLimit,
};

use crate::{
    actor::{actor::Actor, dispatcher::Dispatcher, local_calls::LocalCalls, router::Router},
    contracts::{discovery::Discovery, locked_contracts::LockedContracts},
    limits::occupancy::Occupancy,
    peers::peers::Peers,
    session::{access::Access, serve::Serve, session_environment::SessionEnvironment},
    settings::webrtc::WebRtc,
    stream::stream_environment::StreamEnvironment,
    tally::{call_tally::CallTally, tally::Tally},
    tasks::Tasks,
    trace::tracer::Tracer,
};

/// What an actor is made of.
pub(crate) struct Assembly {
    pub(crate) actr_type: ActrType,
    pub(crate) router: Router,
    pub(crate) acl: Option<Acl>,
    pub(crate) link: RegistryLink,
    pub(crate) contracts: LockedContracts,
    /// The longest record that it sends and takes.
    pub(crate) record_limit: RecordLimit,
    pub(crate) tls: Tls,
    /// Where it shows its credential without TLS.
    pub(crate) clear_text: ClearText,
    /// When it tries WebRTC, if it is built with that, and who helps it through NAT.
    pub(crate) webrtc: WebRtc,
    pub(crate) occupancy: Arc<Occupancy>,
    /// Where what happens is noted.
    pub(crate) events: Arc<EventLog>,
    /// Where what it does belongs in traces.
    pub(crate) tracer: Tracer,
    pub(crate) tasks: Tasks,
}

impl Assembly {
    /// Puts the parts together.
    pub(crate) fn assemble(self) -> Arc<Actor> {
        let Self {
            actr_type,
            router,
            acl,
            link,
            contracts,
            record_limit,
            tls,
            clear_text,
            webrtc,
            occupancy,
            events,
            tracer,
            tasks,
        } = self;
        let own = link.clone();
        // It is made after the first registration; what can't be is not worth an error to every caller.
        let own_id = move || own.actor_id().unwrap_or_else(|| ActrId::new(0, 0, actr_type.clone()));
        let tally = Tally::new(CallTally::new(router.exported_routes()), events);
        let streams = StreamEnvironment::new(tasks, occupancy, tally, tracer);
        let sessions = SessionEnvironment::new(streams, Access::new(acl, own_id), record_limit);
        Arc::new_cyclic(|actor| {
            let dispatcher = Dispatcher::new(router, Arc::clone(&sessions), Weak::clone(actor));
            let dispatcher = Arc::new(dispatcher);
            let serve = Arc::clone(&dispatcher) as Arc<dyn Serve>;
            let peers = Peers::new(link, tls, clear_text, webrtc, Arc::clone(&sessions), serve);
            Actor {
                local: dispatcher as Arc<dyn LocalCalls>,
                discovery: Discovery::new(Arc::clone(&peers), contracts),
                peers,
                sessions,
            }
        })
    }
}
