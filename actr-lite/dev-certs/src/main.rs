//! Makes a CA and a certificate for development: `cargo dev-certs --out certs`.

use std::{
    io::{self, Write as _},
    path::{self, PathBuf},
    process::ExitCode,
};

use actr_lite_dev_certs::{DevCa, DevCertFiles, LOCAL_HOSTS, write};
use anyhow::Context as _;
use clap::Parser;

/// Makes a CA of its own and a certificate for this machine, for development. The CA's key is not kept: for further
/// hosts, make both again
#[derive(Parser)]
#[command(version, bin_name = "cargo dev-certs")]
struct Arguments {
    /// The directory for ca.pem, cert.pem and key.pem
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,

    /// One more host name or IP address that the certificate is for, beside localhost, 127.0.0.1 and ::1
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,

    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads stderr if this fails, and the exit code says it too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // Actr.toml may be in another folder.
    let out = path::absolute(&arguments.out).context("the current directory is not known")?;
    let hosts: Vec<_> = LOCAL_HOSTS
        .into_iter()
        .chain(arguments.host.iter().map(String::as_str))
        .collect();
    let ca = DevCa::new()?;
    let cert = ca.issue(&hosts)?;
    let files = write(&out, &ca, &cert, arguments.force)?;
    io::stdout()
        .write_all(told(&files, &hosts).as_bytes())
        .context("the files are written, but stdout cannot be written to")
}

fn told(files: &DevCertFiles, hosts: &[&str]) -> String {
    let DevCertFiles { ca, cert, key } = files;
    format!(
        "# A CA and a certificate for {}, valid for a year.\n\
         # Actr.toml of a node that accepts connections, a server:\n\
         [system.tls]\n\
         cert = {cert:?}\n\
         key = {key:?}\n\
         ca = {ca:?}\n\
         # Of a node that only makes them, a client:\n\
         [system.tls]\n\
         ca = {ca:?}\n\
         # And the registry's url then begins with wss:// in both.\n",
        hosts.join(", ")
    )
}
