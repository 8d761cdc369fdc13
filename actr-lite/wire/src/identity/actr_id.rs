use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

use super::{
    actr_type::{ActrType, ParseActrTypeError},
    beginning,
};
use crate::proto;

/// One running actor: realm, serial number and type. Cheap to clone.
///
/// Its text is `<serial number, lowercase hex, unpadded>@<realm, decimal>/<type>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActrId(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    serial_number: u64,
    realm_id: u32,
    actr_type: ActrType,
}

impl ActrId {
    /// An id from its parts.
    pub fn new(realm_id: u32, serial_number: u64, actr_type: ActrType) -> Self {
        Self(Arc::new(Parts {
            serial_number,
            realm_id,
            actr_type,
        }))
    }

    /// Where the actor lives.
    pub fn realm_id(&self) -> u32 {
        self.0.realm_id
    }

    /// What the registry gave it, unique there.
    pub fn serial_number(&self) -> u64 {
        self.0.serial_number
    }

    /// What kind of actor it is.
    pub fn actr_type(&self) -> &ActrType {
        &self.0.actr_type
    }
}

/// Why a text or a message is not an actor id; with the beginning of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseActrIdError {
    /// The parts are not separated as they should be.
    #[error("actor id {0:?} is not of the form <serial hex>@<realm>/<manufacturer:name:version>")]
    Form(String),
    /// The serial number is not unpadded lowercase hex of 64 bits.
    #[error("actor id {0:?}: the serial number is not unpadded lowercase hex of at most 64 bits")]
    SerialNumber(String),
    /// The realm is not a decimal number of 32 bits.
    #[error("actor id {0:?}: the realm is not a decimal number of at most 32 bits")]
    Realm(String),
    /// The type is not one.
    #[error(transparent)]
    Type(#[from] ParseActrTypeError),
}

impl FromStr for ActrId {
    type Err = ParseActrIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ParseActrIdError::Form(beginning(text));
        let (serial, rest) = text.split_once('@').ok_or_else(form)?;
        let (realm, actr_type) = rest.split_once('/').ok_or_else(form)?;
        let serial_number = parse_serial(serial).ok_or_else(|| ParseActrIdError::SerialNumber(beginning(text)))?;
        let realm_id = parse_realm(realm).ok_or_else(|| ParseActrIdError::Realm(beginning(text)))?;
        Ok(Self::new(realm_id, serial_number, actr_type.parse()?))
    }
}

/// Only the one way in which such a number is written: the text of an id is compared as bytes where it is signed.
fn parse_serial(text: &str) -> Option<u64> {
    let number = u64::from_str_radix(text, 16).ok()?;
    (format!("{number:x}") == text).then_some(number)
}

fn parse_realm(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl fmt::Display for ActrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}@{}/{}", self.serial_number(), self.realm_id(), self.actr_type())
    }
}

impl fmt::Debug for ActrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActrId({self})")
    }
}

impl From<&ActrId> for proto::ActrId {
    fn from(id: &ActrId) -> Self {
        Self {
            realm: proto::Realm {
                realm_id: id.realm_id(),
            },
            serial_number: id.serial_number(),
            r#type: id.actr_type().into(),
        }
    }
}

impl TryFrom<&proto::ActrId> for ActrId {
    type Error = ParseActrIdError;

    fn try_from(message: &proto::ActrId) -> Result<Self, Self::Error> {
        let actr_type = ActrType::try_from(&message.r#type)?;
        Ok(Self::new(message.realm.realm_id, message.serial_number, actr_type))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_the_protocols() {
        let id = ActrId::new(33, 0x1f, "acme+Echo".parse().unwrap());
        assert_eq!(id.to_string(), "1f@33/acme:Echo:1.0.0");
        assert_eq!(id.to_string().parse::<ActrId>().unwrap(), id);
    }

    #[test]
    fn a_number_is_read_in_one_spelling_only() {
        for text in [
            "01f@33/acme:Echo:1.0.0",
            "1F@33/acme:Echo:1.0.0",
            "+1f@33/acme:Echo:1.0.0",
            "1f@033/acme:Echo:1.0.0",
            "1f@+33/acme:Echo:1.0.0",
            "1f@4294967296/acme:Echo:1.0.0",
            "11111111111111111@33/acme:Echo:1.0.0",
            "@33/acme:Echo:1.0.0",
            "1f@/acme:Echo:1.0.0",
            "1f@33",
            "1f",
        ] {
            assert!(text.parse::<ActrId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_message_give_back_what_was_written(realm: u32, serial: u64) {
            let id = ActrId::new(realm, serial, "acme+Echo".parse().unwrap());
            prop_assert_eq!(&id.to_string().parse::<ActrId>().unwrap(), &id);
            prop_assert_eq!(&ActrId::try_from(&proto::ActrId::from(&id)).unwrap(), &id);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = text.parse::<ActrId>();
        }
    }
}
