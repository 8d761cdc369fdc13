use std::{collections::HashMap, sync::Arc};

use actr_lite_manifest::{ContractFingerprint, Manifest, Problems};
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
    proto::{ServiceSpec, service_spec::Protobuf},
};
use bytes::Bytes;
use thiserror::Error;
use tracing::error;

use crate::{
    actor::{
        context::Context,
        service::{Service, ServiceDescriptor},
    },
    error::actr_error::ActrError,
    session::access::Access,
    tasks::contain,
};

/// Knows which service has which route, and who may call it.
pub(crate) struct Router {
    routes: HashMap<&'static str, Route>,
    exported: Vec<&'static ServiceDescriptor>,
}

struct Route {
    service: Arc<dyn Service>,
    is_exported: bool,
}

/// Why services and Actr.toml don't match.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RouterError {
    /// Two services have the same route.
    #[error("two services of the workload have the route {0}: attach each service once")]
    Duplicate(&'static str),
    /// Actr.toml exports what the program does not have.
    #[error(
        "exports names {export}, but no service of the workload is defined in a file of that name (there is {}); \
         remove it from exports, or attach the service",
        list(.known)
    )]
    Export {
        /// What Actr.toml says.
        export: String,
        /// The proto files of the services that there are.
        known: Vec<&'static str>,
    },
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

impl Router {
    pub(crate) fn new(services: Vec<Arc<dyn Service>>, manifest: &Manifest) -> Result<Self, Problems<RouterError>> {
        let descriptors: Vec<_> = services.iter().map(|service| service.descriptor()).collect();
        let mut problems = Vec::new();
        for export in &manifest.exports {
            let name = export
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if !descriptors.iter().any(|descriptor| descriptor.proto_file == name) {
                let mut known: Vec<_> = descriptors.iter().map(|descriptor| descriptor.proto_file).collect();
                known.sort_unstable();
                known.dedup();
                problems.push(RouterError::Export {
                    export: export.display().to_string(),
                    known,
                });
            }
        }
        let mut routes = HashMap::new();
        for service in services {
            let descriptor = service.descriptor();
            let is_exported = manifest.exports_proto(descriptor.proto_file);
            for route in descriptor.routes {
                let entry = Route {
                    service: Arc::clone(&service),
                    is_exported,
                };
                if routes.insert(*route, entry).is_some() {
                    problems.push(RouterError::Duplicate(route));
                }
            }
        }
        let exported = descriptors
            .into_iter()
            .filter(|service| manifest.exports_proto(service.proto_file))
            .collect();
        Problems::or_value(problems, Self { routes, exported })
    }

    /// The contract to publish: that of the exported services. `None` if nothing is exported.
    pub(crate) fn service_spec(&self, actr_type: &ActrType, manifest: &Manifest) -> Option<ServiceSpec> {
        let mut files = self.exported.clone();
        files.sort_unstable_by_key(|service| service.proto_file);
        files.dedup_by_key(|service| service.proto_file);
        if files.is_empty() {
            return None;
        }
        let fingerprints = files
            .iter()
            .map(|service| (service.proto_file, service.proto_fingerprint));
        Some(ServiceSpec {
            name: actr_type.to_string(),
            description: manifest.package.description.clone(),
            fingerprint: ContractFingerprint::of(fingerprints).to_string(),
            protobufs: files
                .iter()
                .map(|service| Protobuf {
                    package: service.package.into(),
                    content: service.proto_source.into(),
                    fingerprint: service.proto_fingerprint.into(),
                })
                .collect(),
            published_at: None,
            tags: manifest.package.tags.clone(),
        })
    }

    /// The routes that other nodes may call.
    pub(crate) fn exported_routes(&self) -> impl Iterator<Item = &'static str> {
        let exported = self.routes.iter().filter(|(_, entry)| entry.is_exported);
        exported.map(|(route, _)| *route)
    }

    /// Calls a service of this node, whoever asks: [`Self::check`] says who may.
    pub(crate) async fn dispatch(&self, route: &str, payload: Bytes, ctx: Context) -> Result<Bytes, ActrError> {
        let entry = self.routes.get(route).ok_or_else(|| unknown(route))?;
        run(entry, route, payload, ctx).await
    }

    /// Whether another node may call this: only what is exported, and only if the access list admits the caller. Its name as
    /// this node has it.
    pub(crate) fn check(&self, route: &str, access: &Access, caller: &ActrId) -> Result<&'static str, ActrError> {
        let (name, entry) = self.routes.get_key_value(route).ok_or_else(|| unknown(route))?;
        let denied = |message| Err(ActrError::new(ErrorCode::PermissionDenied, message));
        if !entry.is_exported {
            return denied(format!("{route} is not exported: only its own node may call it"));
        }
        match access.admit(caller) {
            Ok(()) => Ok(name),
            Err(refusal) => denied(format!("{route} refused: {refusal}")),
        }
    }
}

fn unknown(route: &str) -> ActrError {
    let message = PeerText::of(&format_args!("no service here has the route {route}"));
    ActrError::new(ErrorCode::UnknownRoute, message)
}

/// Runs the handler; its panic is an error for the caller only.
async fn run(entry: &Route, route: &str, payload: Bytes, ctx: Context) -> Result<Bytes, ActrError> {
    let dispatch = async { entry.service.dispatch(route, payload, ctx).await };
    contain(dispatch).await.unwrap_or_else(|panic| {
        error!(%route, reason = %panic, "the handler panicked");
        Err(ActrError::internal(format!("the handler of {route} panicked")))
    })
}
