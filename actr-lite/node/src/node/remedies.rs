use actr_lite_net::exposure::Remedies;

/// What to do if other machines could reach something as it is.
pub(crate) const REMEDIES: Remedies = Remedies {
    tls: "add cert and key to [system.tls], and to a registry's url the scheme wss",
    secret: "set ACTR_REALM_SECRET, or [system.deployment] realm_secret_file",
    insecure: "add insecure = true to [system]",
};
