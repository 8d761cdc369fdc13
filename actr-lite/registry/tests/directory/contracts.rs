//! Which contract is found under which name.

use actr_lite_registry::directory::Directory;
use actr_lite_wire::error_code::ErrorCode;

use crate::{actr_type, contract, directory, register, registration, spec};

#[test]
fn a_contract_is_found_by_its_type_or_its_name() {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    let mut server = registration(1, actr_type(1));
    server.contract = spec("Echo", "first");
    let first = register(&mut directory, server.clone());
    server.contract = spec("Echo", "later");
    register(&mut directory, server);
    let mut foreign = registration(2, actr_type(2));
    foreign.contract = spec("Foreign", "foreign");
    register(&mut directory, foreign);
    register(&mut directory, registration(1, actr_type(3)));

    let find = |directory: &Directory, name: &str, wanted| contract(directory, &asker, name, wanted);
    for name in ["acme:Type1:1.0.0", "acme+Type1", "Echo"] {
        assert_eq!(find(&directory, name, None).as_deref(), Ok("first"), "{name}");
        assert_eq!(find(&directory, name, Some("later")).as_deref(), Ok("later"), "{name}");
        let missing = find(&directory, name, Some("none")).unwrap_err();
        assert_eq!(missing.code(), ErrorCode::NotFound, "{name}");
    }
    directory.lost(&first);
    assert_eq!(
        find(&directory, "Echo", None).as_deref(),
        Ok("later"),
        "which is easier to reach"
    );
    directory.unregister(&first).unwrap();
    assert_eq!(find(&directory, "Echo", None).as_deref(), Ok("later"));

    for (name, code) in [
        ("acme:Type1:2.0.0", ErrorCode::NotFound),
        ("Nothing", ErrorCode::NotFound),
        ("Foreign", ErrorCode::NotFound),
        ("acme:Type2:1.0.0", ErrorCode::PermissionDenied),
        ("acme:Type3:1.0.0", ErrorCode::NotFound),
    ] {
        assert_eq!(find(&directory, name, None).unwrap_err().code(), code, "{name}");
    }
}
