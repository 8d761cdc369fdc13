//! The code of one service: handler trait, descriptor, routes and dispatcher.
//!
//! Every name of the standard library and of the runtime is written as a full path, because a proto
//! file is free to call its messages `Sync` or `Result`.

use std::fmt::{self, Write};

use prost_build::{Comments, Method, Service, ServiceGenerator};

use crate::contract::{Contract, ProtoFile};

/// Generates code for the services of a checked [`Contract`].
pub(crate) struct HandlerGenerator {
    contract: Contract,
}

impl HandlerGenerator {
    pub(crate) fn new(contract: Contract) -> Self {
        Self { contract }
    }
}

impl ServiceGenerator for HandlerGenerator {
    fn generate(&mut self, service: Service, buf: &mut String) {
        let name = format!("{}.{}", service.package, service.proto_name);
        // Absent only for a service of protobuf's own files, and these define none.
        let Some(proto_file) = self.contract.proto_file(&name) else {
            return;
        };
        let service = ServiceCode {
            routes: service
                .methods
                .iter()
                .map(|method| format!("{name}.{}", method.proto_name))
                .collect(),
            descriptor: format!("{}_DESCRIPTOR", screaming_snake(&service.name)),
            name,
            service: &service,
            proto_file,
        };
        // Writing to a string doesn't fail.
        let _ = write!(buf, "{service}");
    }
}

struct ServiceCode<'a> {
    /// The full name, `{package}.{Service}`.
    name: String,
    /// The name of the descriptor static.
    descriptor: String,
    /// One for each of the service's methods, in their order.
    routes: Vec<String>,
    service: &'a Service,
    proto_file: &'a ProtoFile,
}

impl fmt::Display for ServiceCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handler(f)?;
        self.descriptor(f)?;
        for (route, method) in self.methods() {
            rpc(f, route, method)?;
        }
        self.dispatcher(f)
    }
}

impl ServiceCode<'_> {
    fn methods(&self) -> impl Iterator<Item = (&str, &Method)> {
        self.routes.iter().map(String::as_str).zip(&self.service.methods)
    }

    fn handler(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Service { name, comments, .. } = self.service;
        if documented(comments) {
            writeln!(f, "{}///", doc(comments, 0))?;
        }
        writeln!(
            f,
            "/// Handles the calls to `{}`. The methods may be written as `async fn`.",
            self.name
        )?;
        writeln!(
            f,
            "pub trait {name}Handler: ::core::marker::Send + ::core::marker::Sync + 'static {{"
        )?;
        for (route, method) in self.methods() {
            if documented(&method.comments) {
                f.write_str(&doc(&method.comments, 1))?;
            } else {
                writeln!(f, "    /// Answers a call to `{route}`.")?;
            }
            let Method {
                name,
                input_type,
                output_type,
                ..
            } = method;
            write!(
                f,
                "    fn {name}(
        &self,
        request: {input_type},
        ctx: ::actr_lite::Context,
    ) -> impl ::core::future::Future<
        Output = ::core::result::Result<{output_type}, ::actr_lite::ActrError>,
    > + ::core::marker::Send;
"
            )?;
        }
        f.write_str("}\n")
    }

    fn descriptor(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proto_file = self.proto_file;
        write!(
            f,
            "/// Describes `{name}`: its routes, and the proto file that defines it.
pub static {descriptor}: ::actr_lite::ServiceDescriptor = ::actr_lite::ServiceDescriptor {{
    name: {name:?},
    package: {package:?},
    proto_file: {file_name:?},
    proto_source: ::core::concat!(
",
            name = self.name,
            descriptor = self.descriptor,
            package = self.service.package,
            file_name = proto_file.name,
        )?;
        for line in proto_file.source.split_inclusive('\n') {
            writeln!(f, "        {line:?},")?;
        }
        write!(
            f,
            "    ),
    proto_fingerprint: {:?},
    routes: &[
",
            proto_file.fingerprint
        )?;
        for route in &self.routes {
            writeln!(f, "        {route:?},")?;
        }
        f.write_str("    ],\n};\n")
    }

    fn dispatcher(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/// Serves the routes of `{service}` with a [`{name}Handler`].
#[derive(Debug)]
pub struct {name}Dispatcher<H> {{
    handler: ::std::sync::Arc<H>,
}}
impl<H: {name}Handler> {name}Dispatcher<H> {{
    /// A dispatcher that hands every call to `handler`; calls run concurrently.
    pub fn new(handler: ::std::sync::Arc<H>) -> Self {{
        Self {{ handler }}
    }}
}}
impl<H: {name}Handler> ::actr_lite::Service for {name}Dispatcher<H> {{
    fn descriptor(&self) -> &'static ::actr_lite::ServiceDescriptor {{
        &{descriptor}
    }}
    fn dispatch(
        &self,
        route: &str,
        payload: ::actr_lite::generated::Bytes,
        ctx: ::actr_lite::Context,
    ) -> ::actr_lite::DispatchFuture {{
        match route {{
",
            service = self.name,
            name = self.service.name,
            descriptor = self.descriptor,
        )?;
        for (_, method) in self.methods() {
            write!(
                f,
                "            <{request} as ::actr_lite::Rpc>::ROUTE => {{
                let handler = ::std::sync::Arc::clone(&self.handler);
                ::std::boxed::Box::pin(async move {{
                    let request = ::actr_lite::generated::decode_request::<{request}>(
                        <{request} as ::actr_lite::Rpc>::ROUTE,
                        payload,
                    )?;
                    {trait_name}Handler::{method}(&*handler, request, ctx)
                        .await
                        .map(|response| ::actr_lite::generated::encode_response(&response))
                }})
            }}
",
                request = method.input_type,
                trait_name = self.service.name,
                method = method.name,
            )?;
        }
        f.write_str(
            "            _ => ::actr_lite::generated::unknown_route(route),
        }
    }
}
",
        )
    }
}

fn rpc(f: &mut fmt::Formatter<'_>, route: &str, method: &Method) -> fmt::Result {
    write!(
        f,
        "impl ::actr_lite::Rpc for {} {{
    const ROUTE: &'static str = {route:?};
    type Response = {};
}}
",
        method.input_type, method.output_type
    )
}

fn documented(comments: &Comments) -> bool {
    comments
        .leading
        .iter()
        .chain(&comments.trailing)
        .any(|line| !line.trim().is_empty())
}

fn doc(comments: &Comments, indent_level: u8) -> String {
    let mut doc = String::new();
    comments.append_with_indent(indent_level, &mut doc);
    doc
}

/// `StreamServer` to `STREAM_SERVER`.
fn screaming_snake(upper_camel: &str) -> String {
    let mut name = String::with_capacity(upper_camel.len() + 4);
    for character in upper_camel.chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}
