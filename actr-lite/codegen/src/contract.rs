//! What the generated code needs to know of the proto files, checked before any is generated.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use protox::prost_reflect::{FileDescriptor, MethodDescriptor};

use crate::error::{Error, RpcSite};
use crate::fingerprint;

/// The services of a set of proto files that meets every rule of this generator.
pub(crate) struct Contract {
    proto_files: HashMap<String, ProtoFile>,
    file_of_service: HashMap<String, String>,
}

/// A proto file that defines services.
pub(crate) struct ProtoFile {
    /// The file's name, without folders.
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) fingerprint: String,
}

impl Contract {
    /// Checks all files that `protox` has opened, imports included.
    pub(crate) fn of(protox: &protox::Compiler) -> Result<Self, Error> {
        let pool = protox.descriptor_pool();
        let mut contract = Self {
            proto_files: HashMap::new(),
            file_of_service: HashMap::new(),
        };
        let mut requests = HashMap::new();
        // Protobuf's own files, which protox brings along, are those without a path.
        for (name, path) in protox.files().filter_map(|file| Some((file.name(), file.path()?))) {
            let Some(file) = pool.get_file_by_name(name) else {
                continue;
            };
            if file.package_name().is_empty() {
                return Err(Error::NoPackage { file: name.into() });
            }
            if file.services().len() > 0 {
                contract.add(&file, path, &mut requests)?;
            }
        }
        Ok(contract)
    }

    /// The file that defines the service of this full name.
    pub(crate) fn proto_file(&self, service: &str) -> Option<&ProtoFile> {
        self.proto_files.get(self.file_of_service.get(service)?)
    }

    fn add(
        &mut self,
        file: &FileDescriptor,
        path: &Path,
        requests: &mut HashMap<String, RpcSite>,
    ) -> Result<(), Error> {
        for service in file.services() {
            if service.methods().len() == 0 {
                return Err(Error::EmptyService {
                    service: service.full_name().into(),
                    file: file.name().into(),
                    line: line_of(file, service.path()),
                });
            }
            for method in service.methods() {
                check_rpc(file, &method, requests)?;
            }
            self.file_of_service
                .insert(service.full_name().into(), file.name().into());
        }

        // A change of an imported message would change the contract, but not the fingerprint.
        if let Some(import) = file
            .dependencies()
            .find(|import| !import.name().starts_with("google/protobuf/"))
        {
            return Err(Error::ImportBesideService {
                file: file.name().into(),
                import: import.name().into(),
            });
        }

        let source = fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let proto_file = ProtoFile {
            name: path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            fingerprint: fingerprint::of_file(file.file_descriptor_proto(), &source)?,
            source,
        };
        self.proto_files.insert(file.name().into(), proto_file);
        Ok(())
    }
}

fn check_rpc(
    file: &FileDescriptor,
    method: &MethodDescriptor,
    requests: &mut HashMap<String, RpcSite>,
) -> Result<(), Error> {
    let rpc = RpcSite {
        route: method.full_name().into(),
        file: file.name().into(),
        line: line_of(file, method.path()),
    };
    if method.is_client_streaming() || method.is_server_streaming() {
        return Err(Error::StreamingRpc { rpc });
    }
    let request = method.input();
    let message = request.full_name().to_owned();
    // prost maps these to types of its own crates, so that an impl for them breaks the orphan rule.
    if request.package_name() == "google.protobuf" {
        return Err(Error::ForeignRequest { rpc, message });
    }
    if let Some(first) = requests.get(&message) {
        return Err(Error::SharedRequest {
            message,
            first: Box::new(first.clone()),
            second: Box::new(rpc),
        });
    }
    requests.insert(message, rpc);
    Ok(())
}

/// The line, from 1, on which the item of this descriptor path begins.
fn line_of(file: &FileDescriptor, path: &[i32]) -> usize {
    file.file_descriptor_proto()
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .find(|location| location.path == path)
        .and_then(|location| usize::try_from(*location.span.first()?).ok())
        .map_or(1, |line| line + 1)
}
