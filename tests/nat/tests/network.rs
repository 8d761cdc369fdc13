//! Two hosts behind a NAT router each, and one with a public address.

use harness::{Host, Launch, Namespace};

/// Where the registry and the relay are.
pub(crate) const PUBLIC: &str = "192.0.2.10";

/// The same over IPv6, where there is that.
pub(crate) const PUBLIC_IPV6: &str = "2001:db8:1::2";

/// What the routers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nat {
    /// Who is sent something from a port of a host is seen at that port of the router, by all, and all may answer there.
    FullCone,
    /// A port of the router for each of the host's peers, which alone may answer there.
    Symmetric,
}

/// Hosts and routers. Dropping it removes them.
pub(crate) struct Network {
    public: Namespace,
    left: Site,
    right: Site,
    internet: Namespace,
    has_ipv6: bool,
}

/// A host and its router.
struct Site {
    host: Namespace,
    router: Namespace,
    outside: &'static str,
}

impl Network {
    /// Whether there can be such networks here.
    ///
    /// # Errors
    /// Why there can't.
    pub(crate) fn check() -> anyhow::Result<()> {
        let router = Namespace::try_new("check")?;
        router.run("nft", &["add table ip nat"])?;
        router.run(
            "nft",
            &["add chain ip nat out { type nat hook postrouting priority 100; }"],
        )?;
        router.run("nft", &["add rule ip nat out masquerade fully-random"])
    }

    /// Over which packets pass.
    pub(crate) fn try_new(nat: Nat) -> anyhow::Result<Self> {
        let internet = Namespace::try_new("internet")?;
        internet.forward(true)?;
        let public = Namespace::try_new("public")?;
        internet.join(("public", "192.0.2.254/24"), &public, ("eth0", "192.0.2.10/24"))?;
        public.route_by("192.0.2.254")?;
        Ok(Self {
            left: Site::try_new("left", "198.51.100", &internet, nat)?,
            right: Site::try_new("right", "203.0.113", &internet, nat)?,
            public,
            internet,
            has_ipv6: false,
        })
    }

    /// Over IPv6 too, from now on, where no router translates anything.
    ///
    /// # Errors
    /// If the system has none.
    pub(crate) fn add_ipv6(&mut self) -> anyhow::Result<()> {
        forward_ipv6(&self.internet)?;
        self.internet.ip("address add 2001:db8:1::1/64 dev public nodad")?;
        self.public
            .ip(&format!("address add {PUBLIC_IPV6}/64 dev eth0 nodad"))?;
        self.public.ip("-6 route add default via 2001:db8:1::1")?;
        for (site, name, outside, inside) in [
            (&self.left, "left", "2001:db8:2", "2001:db8:12"),
            (&self.right, "right", "2001:db8:3", "2001:db8:13"),
        ] {
            let Site { host, router, .. } = site;
            forward_ipv6(router)?;
            self.internet
                .ip(&format!("address add {outside}::1/64 dev {name} nodad"))?;
            self.internet
                .ip(&format!("-6 route add {inside}::/64 via {outside}::2"))?;
            router.ip(&format!("address add {outside}::2/64 dev wan nodad"))?;
            router.ip(&format!("address add {inside}::1/64 dev lan nodad"))?;
            router.ip(&format!("-6 route add default via {outside}::1"))?;
            host.ip(&format!("address add {inside}::2/64 dev eth0 nodad"))?;
            host.ip(&format!("-6 route add default via {inside}::1"))?;
        }
        self.has_ipv6 = true;
        Ok(())
    }

    /// The public addresses.
    pub(crate) fn public_addresses(&self) -> &'static [&'static str] {
        match self.has_ipv6 {
            true => &[PUBLIC, PUBLIC_IPV6],
            false => &[PUBLIC],
        }
    }

    /// A program that is to run at the public address.
    pub(crate) fn public(&self, launch: Launch) -> Launch {
        self.public.on(launch)
    }

    /// A program that is to run behind a router.
    pub(crate) fn on(&self, host: Host, launch: Launch) -> Launch {
        self.site(host).host.on(launch)
    }

    /// The router of a host gets another public address, and forgets whom it has let through.
    pub(crate) fn renumber(&self, host: Host) {
        self.site(host).renumber().unwrap_or_else(|error| panic!("{error:#}"));
    }

    fn site(&self, host: Host) -> &Site {
        match host {
            Host::Left => &self.left,
            Host::Right => &self.right,
        }
    }
}

impl Site {
    fn try_new(name: &str, outside: &'static str, internet: &Namespace, nat: Nat) -> anyhow::Result<Self> {
        let router = Namespace::try_new(&format!("{name}-router"))?;
        let host = Namespace::try_new(name)?;
        router.forward(true)?;
        let gateway = format!("{outside}.254");
        internet.join(
            (name, &format!("{gateway}/24")),
            &router,
            ("wan", &format!("{outside}.2/24")),
        )?;
        router.route_by(&gateway)?;
        // The same addresses on both sides, as at home.
        router.join(("lan", "10.0.0.1/24"), &host, ("eth0", "10.0.0.2/24"))?;
        host.route_by("10.0.0.1")?;
        let rules = match nat {
            Nat::FullCone => [
                "add chain ip nat in { type nat hook prerouting priority -100; }",
                "add rule ip nat in iif wan meta l4proto udp dnat to 10.0.0.2",
                "add rule ip nat out oif wan masquerade",
            ]
            .as_slice(),
            Nat::Symmetric => &["add rule ip nat out oif wan masquerade random,fully-random"],
        };
        router.run("nft", &["add table ip nat"])?;
        router.run(
            "nft",
            &["add chain ip nat out { type nat hook postrouting priority 100; }"],
        )?;
        for rule in rules {
            router.run("nft", &[rule])?;
        }
        // What nobody behind it has asked for does not get in, and nobody is told.
        router.run(
            "nft",
            &["add chain ip nat dropped { type filter hook input priority 0; }"],
        )?;
        router.run("nft", &["add rule ip nat dropped iif wan meta l4proto udp drop"])?;
        Ok(Self { host, router, outside })
    }

    fn renumber(&self) -> anyhow::Result<()> {
        let Self { router, outside, .. } = self;
        router.ip("address flush dev wan")?;
        router.ip(&format!("address add {outside}.3/24 dev wan"))?;
        router.route_by(&format!("{outside}.254"))
    }
}

fn forward_ipv6(router: &Namespace) -> anyhow::Result<()> {
    router.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"])
}
