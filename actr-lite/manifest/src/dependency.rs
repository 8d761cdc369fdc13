use actr_lite_wire::identity::ActrType;
use serde::Deserialize;

use crate::actr_type;

/// One entry of `[dependencies]`: a service that this node calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table like { actr_type = \"acme+StreamEchoServer\" }"
)]
pub struct Dependency {
    /// The type to discover.
    #[serde(deserialize_with = "actr_type::from_text")]
    pub actr_type: ActrType,
}
