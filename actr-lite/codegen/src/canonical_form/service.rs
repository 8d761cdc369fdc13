use prost_types::{MethodDescriptorProto, ServiceDescriptorProto, method_options::IdempotencyLevel};

use super::object::Object;

pub(super) fn all_of(services: &[ServiceDescriptorProto]) -> Vec<Object> {
    let mut services: Vec<_> = services.iter().collect();
    services.sort_unstable_by_key(|service| service.name());
    services.into_iter().map(of).collect()
}

fn of(service: &ServiceDescriptorProto) -> Object {
    let mut methods: Vec<_> = service.method.iter().collect();
    methods.sort_unstable_by_key(|method| method.name());
    Object::default()
        .with("name", service.name())
        .with_list("methods", methods.into_iter().map(method).collect())
}

fn method(method: &MethodDescriptorProto) -> Object {
    let options = method.options.clone().unwrap_or_default();
    let idempotency = options.idempotency_level.map(|_| options.idempotency_level());
    Object::default()
        .with("name", method.name())
        .with("input_type", method.input_type())
        .with("output_type", method.output_type())
        .with_some("client_streaming", method.client_streaming().then_some(true))
        .with_some("server_streaming", method.server_streaming().then_some(true))
        .with_some(
            "idempotency_level",
            idempotency.as_ref().map(IdempotencyLevel::as_str_name),
        )
}
