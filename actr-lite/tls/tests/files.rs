//! What is wrong with the files of TLS is said in one line: which file, what, and what to do. A reload that fails
//! changes nothing.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use actr_lite_dev_certs::{DevCa, DevCert};
use actr_lite_tls::{ClientTls, MAX_PEM_LEN, PemFile, ServerTls, Tls, TlsFileError};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// An error without the folder's name.
    fn told(&self, error: &TlsFileError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn cert() -> DevCert {
    DevCa::new().unwrap().issue(["localhost"]).unwrap()
}

fn server(cert: &Path, key: &Path) -> Result<ServerTls, TlsFileError> {
    ServerTls::load(
        PemFile::new("system.tls.cert", cert),
        PemFile::new("system.tls.key", key),
    )
}

fn client(ca: &Path) -> Result<ClientTls, TlsFileError> {
    ClientTls::load(PemFile::new("system.tls.ca", ca))
}

#[test]
fn each_thing_that_may_be_wrong_has_its_own_error() {
    let folder = Folder::new();
    let (one, other) = (cert(), cert());
    let (good_cert, good_key) = (
        folder.put("cert.pem", &one.cert_pem),
        folder.put("key.pem", &one.key_pem),
    );
    server(&good_cert, &good_key).unwrap();
    let with_cert = |cert: &Path| folder.told(&server(cert, &good_key).unwrap_err());
    let with_key = |key: &Path| folder.told(&server(&good_cert, key).unwrap_err());
    let with_ca = |ca: &Path| folder.told(&client(ca).unwrap_err());

    assert_eq!(
        with_cert(&folder.path("none.pem")),
        "none.pem (system.tls.cert): no such file: correct the path, or make certificates for development with cargo \
         dev-certs --out certs"
    );
    assert!(with_key(&folder.path("none.pem")).starts_with("none.pem (system.tls.key): no such file"));
    assert!(with_ca(&folder.path("none.pem")).starts_with("none.pem (system.tls.ca): no such file"));
    let directory = with_ca(folder.0.path());
    assert!(directory.contains("(system.tls.ca): cannot be read: "), "{directory}");

    let text = folder.put("text.pem", "hello");
    assert_eq!(
        with_cert(&text),
        "text.pem (system.tls.cert): no certificate in it: it has to be a PEM file, with a section -----BEGIN \
         CERTIFICATE-----"
    );
    assert!(with_ca(&text).contains("no certificate in it"));
    assert!(with_key(&text).contains("no private key in it"));
    assert!(
        with_cert(&good_key).contains("no certificate in it"),
        "the files are swapped"
    );
    assert!(with_key(&good_cert).contains("no private key in it"));

    let cut = folder.put("cut.pem", &one.cert_pem[..one.cert_pem.len() / 2]);
    assert_eq!(
        with_cert(&cut),
        "cut.pem (system.tls.cert): not valid PEM: a section has no end: copy the file again, or make another one"
    );
    let garbled = folder.put("garbled.pem", one.cert_pem.replace("MII", "!!!"));
    assert!(
        with_ca(&garbled).contains("a section is not base64"),
        "{}",
        with_ca(&garbled)
    );
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let empty = folder.put("empty.pem", empty);
    assert!(
        with_cert(&empty).contains("its first certificate cannot be used"),
        "{}",
        with_cert(&empty)
    );
    assert!(
        with_ca(&empty).contains("a certificate in it cannot be used"),
        "{}",
        with_ca(&empty)
    );
    let no_key = folder.put(
        "no-key.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    assert!(
        with_key(&no_key).contains("its private key cannot be used"),
        "{}",
        with_key(&no_key)
    );
    let large = folder.put("large.pem", vec![b'\n'; MAX_PEM_LEN as usize + 1]);
    assert!(
        with_ca(&large).contains("larger than 1048576 bytes"),
        "{}",
        with_ca(&large)
    );

    assert_eq!(
        with_key(&folder.put("other.pem", &other.key_pem)),
        "other.pem (system.tls.key): not the private key of the certificate in cert.pem (system.tls.cert): name two \
         files that were made together"
    );
}

#[test]
fn an_encrypted_key_is_called_one() {
    let folder = Folder::new();
    let cert = folder.put("cert.pem", cert().cert_pem);
    for text in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE \
         KEY-----\n",
    ] {
        let error = server(&cert, &folder.put("key.pem", text)).unwrap_err();
        assert_eq!(
            folder.told(&error),
            "key.pem (system.tls.key): its private key is encrypted, and nobody is there to ask for its password: write it \
             without one to another file, which only this program's user may read (openssl pkey -in key.pem -out \
             plain-key.pem), and name that"
        );
    }
}

#[test]
fn a_key_in_an_older_format_is_taken() {
    let folder = Folder::new();
    for (cert, key) in [
        (
            include_str!("keys/rsa-cert.pem"),
            include_str!("keys/rsa-key-pkcs1.pem"),
        ),
        (include_str!("keys/ec-cert.pem"), include_str!("keys/ec-key-sec1.pem")),
    ] {
        server(&folder.put("cert.pem", cert), &folder.put("key.pem", key)).unwrap();
    }
}

#[test]
fn a_byte_order_mark_is_called_one() {
    let folder = Folder::new();
    let one = cert();
    let key = folder.put("key.pem", &one.key_pem);
    for mark in [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"] {
        let marked = folder.put("marked.pem", [mark, one.cert_pem.as_bytes()].concat());
        for error in [server(&marked, &key).unwrap_err(), client(&marked).unwrap_err()] {
            assert!(
                error.to_string().contains("it begins with a byte order mark"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_side_knows_whether_it_would_connect_to_itself() {
    let folder = Folder::new();
    let (ca, other_ca) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let one = ca.issue(["localhost", "127.0.0.1"]).unwrap();
    let server = server(
        &folder.put("cert.pem", &one.cert_pem),
        &folder.put("key.pem", &one.key_pem),
    );
    let server = server.unwrap();
    let trusting = |ca: &DevCa| Tls {
        server: Some(server.clone()),
        client: client(&folder.put("ca.pem", ca.pem())).unwrap(),
    };
    let tls = trusting(&ca);
    for host in ["localhost", "127.0.0.1"] {
        tls.check_self(host).unwrap();
        server.check_name(host).unwrap();
    }
    for host in ["0.0.0.0", "node.example", "::1"] {
        for error in [tls.check_self(host).unwrap_err(), server.check_name(host).unwrap_err()] {
            let words = format!("its certificate is for localhost, 127.0.0.1, not for {host}: ");
            assert!(error.to_string().starts_with(&words), "{error}");
        }
    }
    let stranger = trusting(&other_ca).check_self("localhost").unwrap_err().to_string();
    assert!(
        stranger.contains("signed by a CA that is not trusted here"),
        "{stranger}"
    );
    Tls::default().check_self("node.example").unwrap();
}

#[test]
fn a_reload_reads_all_files_or_changes_nothing() {
    let folder = Folder::new();
    let ca = DevCa::new().unwrap();
    let (one, other) = (ca.issue(["localhost"]).unwrap(), ca.issue(["localhost"]).unwrap());
    let (cert, key) = (
        folder.put("cert.pem", &one.cert_pem),
        folder.put("key.pem", &one.key_pem),
    );
    let ca_file = folder.put("ca.pem", ca.pem());
    let tls = Tls {
        server: Some(server(&cert, &key).unwrap()),
        client: client(&ca_file).unwrap(),
    };
    assert_eq!(tls.reload().unwrap(), [cert.clone(), key, ca_file.clone()]);
    fs::write(&cert, &other.cert_pem).unwrap();
    assert!(matches!(tls.reload(), Err(TlsFileError::KeyMismatch { .. })));
    fs::write(&cert, &one.cert_pem).unwrap();
    fs::remove_file(&ca_file).unwrap();
    assert!(matches!(tls.reload(), Err(TlsFileError::NotFound(_))));
    assert!(Tls::default().reload().unwrap().is_empty());
}
