use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::presented::request::RequestSource;

/// How many entries of `X-Forwarded-For` are looked at.
const MAX_HOPS: usize = 16;

/// What counts as one address: an IPv4 address, or the first 64 bits of an IPv6 address, since one customer has at
/// least that many.
///
/// ```
/// use socketio_auth::limits::AddressKey;
///
/// let key = |text: &str| AddressKey::of(text.parse().expect("an address"));
/// assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
/// assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
/// assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl AddressKey {
    /// The key of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// The proxies whose `X-Forwarded-For` is believed; nobody's by default.
///
/// ```
/// use socketio_auth::limits::TrustedProxies;
///
/// # fn main() -> Result<(), socketio_auth::limits::NetworkError> {
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])?;
/// assert!(proxies.contains("10.1.2.3".parse().expect("an address")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    unix_sockets: bool,
}

/// The text is not an address, nor an address with `/` and the length of its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(Box<str>);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an address or network", self.0)
    }
}

impl std::error::Error for NetworkError {}

impl TrustedProxies {
    /// Trusts these addresses and networks. An IPv4 address may be written as dual-stack sockets show it,
    /// `::ffff:10.0.0.1`, and so may a network.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] when a text is neither.
    pub fn new<N: AsRef<str>>(networks: impl IntoIterator<Item = N>) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(|text| text.as_ref().parse());
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            unix_sockets: false,
        })
    }

    /// Whether whoever connects to a Unix socket is such a proxy; `false` by default. Who may connect to it is decided by the
    /// permissions of its file: with `true`, each of them can say any address.
    ///
    /// ```
    /// use socketio_auth::limits::TrustedProxies;
    ///
    /// // nginx on this machine, and nobody else.
    /// let proxies = TrustedProxies::default().unix_sockets(true);
    /// assert!(proxies.trusts_unix_sockets());
    /// ```
    #[must_use]
    pub fn unix_sockets(mut self, are_trusted: bool) -> Self {
        self.unix_sockets = are_trusted;
        self
    }

    /// True when whoever connects to a Unix socket is one of these proxies.
    #[must_use]
    pub fn trusts_unix_sockets(&self) -> bool {
        self.unix_sockets
    }

    /// True when the address is one of these proxies.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    /// The address of the client whose connection comes from `peer`: the last entry of `X-Forwarded-For` that no
    /// trusted proxy added. What a client writes there itself is never reached, since its own address is behind it.
    pub fn client_address(&self, peer: IpAddr, request: &dyn RequestSource) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        self.forwarded_for(request).unwrap_or(peer)
    }

    /// The same for a connection to a Unix socket, which has no address of its own. `None` when these are not
    /// [trusted](Self::unix_sockets), or the request names nobody.
    pub fn client_address_on_unix(&self, request: &dyn RequestSource) -> Option<IpAddr> {
        self.unix_sockets
            .then(|| self.forwarded_for(request))
            .flatten()
    }

    /// Whom the request is forwarded for, by proxies the last of which is trusted.
    fn forwarded_for(&self, request: &dyn RequestSource) -> Option<IpAddr> {
        let mut forwarded = String::new();
        request.headers("x-forwarded-for", &mut |value| {
            forwarded.push(',');
            // What is not text is not an address either, and ends the search below.
            forwarded.push_str(std::str::from_utf8(value).unwrap_or("?"));
        });
        let mut client = None;
        for entry in forwarded.rsplit(',').take(MAX_HOPS) {
            let Some(address) = parse_entry(entry.trim()) else {
                break;
            };
            let address = address.to_canonical();
            client = Some(address);
            if !self.contains(address) {
                break;
            }
        }
        client
    }
}

/// An address, also with a port, also in brackets.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    entry.parse().ok().or_else(|| {
        let with_port = entry.parse::<std::net::SocketAddr>();
        with_port.map(|address| address.ip()).ok().or_else(|| {
            let inner = entry.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse().ok()
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

impl Network {
    /// As addresses are compared: a network of IPv4 addresses in the form that dual-stack sockets show them in
    /// (`::ffff:10.0.0.0/104`) is one of IPv4 (`10.0.0.0/8`).
    fn to_canonical(self) -> Self {
        const MAPPED_BITS: u32 = 96;
        match (
            self.address.to_canonical(),
            self.prefix_bits.checked_sub(MAPPED_BITS),
        ) {
            (address @ IpAddr::V4(_), Some(prefix_bits)) if self.address.is_ipv6() => Self {
                address,
                prefix_bits,
            },
            _ => self,
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        let common_bits = match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros()
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros()
            }
            _ => return false,
        };
        common_bits >= self.prefix_bits
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError(text.into());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| error())?,
            None => max,
        };
        if prefix_bits > max {
            return Err(error());
        }
        Ok(Self {
            address,
            prefix_bits,
        }
        .to_canonical())
    }
}
