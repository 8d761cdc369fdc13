//! What a registry has signed is valid until it expires, whatever happens to its keys meanwhile.

use std::{path::Path, time::Duration};

use actr_lite_registry::{Options, Registry};
use actr_lite_wire::{
    credential::VerifyingKey,
    proto::{
        GetSigningKeyRequest, actr_to_signaling::Payload as Request, register_response::RegisterOk,
        signaling_to_actr::Payload as Answer,
    },
};

use crate::client::{CLIENT, connect, register, renew, start, within};

fn kept_in(directory: &Path) -> Options {
    Options {
        data_dir: Some(directory.into()),
        ..Options::default()
    }
}

/// The key of this number, as a node is told it.
async fn key(address: std::net::SocketAddr, asker: &RegisterOk, key_id: u32) -> Option<VerifyingKey> {
    let mut connection = connect(address, asker).await.unwrap();
    match connection
        .ask(Request::GetSigningKey(GetSigningKeyRequest { key_id }))
        .await
    {
        Answer::GetSigningKey(answer) => Some(VerifyingKey::from_bytes(answer.key_id, &answer.pubkey).unwrap()),
        Answer::Error(_) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_in_a_data_directory_outlive_the_registry() {
    let folder = tempfile::tempdir().unwrap();
    let first_life = start(kept_in(folder.path())).await;
    let before = register(first_life.local_addr(), 1, CLIENT).await;
    let in_use = Registry::bind("127.0.0.1:0", kept_in(folder.path()))
        .await
        .err()
        .unwrap();
    assert!(in_use.to_string().contains("another registry uses"), "{in_use}");
    first_life.shutdown().await;

    let second_life = start(kept_in(folder.path())).await;
    let address = second_life.local_addr();
    let after = register(address, 1, CLIENT).await;
    assert_eq!(after.signing_key_id, before.signing_key_id);
    assert_ne!(after.actr_id, before.actr_id);
    let key = key(address, &after, before.signing_key_id).await.unwrap();
    let id = crate::client::id_of(&before);
    let credential = before.credential.clone().into();
    assert!(key.verify(&credential, &id, 0).is_ok(), "nodes take it as before");
    // The node itself is to register again, as the new life does not know it.
    let (status, reason) = connect(address, &before).await.err().unwrap();
    assert_eq!(status, 401);
    assert!(reason.contains("register again"), "{reason}");
    second_life.shutdown().await;

    let elsewhere = start(Options::default()).await;
    let other = register(elsewhere.local_addr(), 1, CLIENT).await;
    assert_ne!(
        other.signing_key_id, before.signing_key_id,
        "without the directory keys are new"
    );
    elsewhere.shutdown().await;
}

#[tokio::test]
async fn a_key_is_replaced_and_known_until_its_last_credential_ends() {
    let options = Options {
        credential_lifetime: Duration::from_secs(2),
        key_lifetime: Duration::from_secs(2),
        ..Options::default()
    };
    let registry = start(options).await;
    let address = registry.local_addr();
    let first = register(address, 1, CLIENT).await;
    let second = within(async {
        let mut granted = first.clone();
        while granted.signing_key_id == first.signing_key_id {
            tokio::time::sleep(Duration::from_millis(100)).await;
            granted = renew(address, &granted).await.unwrap();
        }
        granted
    })
    .await;
    assert_eq!(second.actr_id, first.actr_id);
    let old = key(address, &second, first.signing_key_id)
        .await
        .expect("credentials of the old key still live");
    assert_eq!(old.to_bytes()[..], first.signing_pubkey[..]);
    within(async {
        let mut granted = second.clone();
        while key(address, &granted, first.signing_key_id).await.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            granted = renew(address, &granted).await.unwrap();
        }
    })
    .await;
    registry.shutdown().await;
}
