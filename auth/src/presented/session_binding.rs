//! Binding an Engine.IO session to who opened it.

use std::net::IpAddr;

use super::credential::{Credential, Extract, SourceKind};
use crate::base::fingerprint::Fingerprint;

/// What the later requests of an Engine.IO session are compared with, so that a stolen session id is not enough.
///
/// Bound is a credential that came in an HTTP header, cookie or query and authenticated. When a later request
/// carries one from the same sources, it has to be the same; a request without passes, since a browser's WebSocket
/// cannot send an `Authorization` header. Other cookies are never compared. A request that is not
/// [admitted](Self::admits) is answered with HTTP 400 and code 3, or a refused upgrade; the session goes on. The
/// `Origin` is compared by the engine.
///
/// ```
/// use socketio_auth::{Credential, Extract, SessionBinding, SourceKind};
///
/// let cookie = |token: &str| Credential::new(token, SourceKind::Cookie);
/// let binding = SessionBinding::new(Some(&cookie("mine")));
/// assert!(binding.admits(&Extract::Found(cookie("mine")), None));
/// assert!(binding.admits(&Extract::Absent, None));
/// assert!(!binding.admits(&Extract::Found(cookie("yours")), None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionBinding {
    credential: Option<Fingerprint>,
    peer: Option<IpAddr>,
}

impl SessionBinding {
    /// Binds to a credential that authenticated. One that came in a packet is not part of any request, so there is
    /// nothing to compare.
    #[must_use]
    pub fn new(credential: Option<&Credential>) -> Self {
        let is_in_request = |credential: &&Credential| {
            !matches!(credential.source(), SourceKind::Payload | SourceKind::Event)
        };
        Self {
            credential: credential
                .filter(is_in_request)
                .map(Credential::fingerprint),
            peer: None,
        }
    }

    /// Binds to the client's address as well. Clients that change networks lose their session.
    #[must_use]
    pub fn with_peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer.to_canonical());
        self
    }

    /// Whether a later request may use the session. `found` is what the sources of the same policy
    /// [found](crate::server::DynPolicy::extract) in it, `peer` where it came from.
    #[must_use]
    pub fn admits(&self, found: &Extract, peer: Option<IpAddr>) -> bool {
        if self.peer.is_some() && peer.map(|peer| peer.to_canonical()) != self.peer {
            return false;
        }
        let Some(bound) = self.credential else {
            return true;
        };
        match found {
            Extract::Absent | Extract::ForeignScheme => true,
            Extract::Found(credential) => credential.fingerprint() == bound,
            Extract::Malformed(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn row_26_a_session_takes_no_other_credential_than_its_own() {
        let header = |token: &str| Credential::new(token, SourceKind::Authorization);
        let bound = SessionBinding::new(Some(&header("mine")));
        for (found, is_admitted) in [
            (Extract::Found(header("mine")), true),
            (Extract::Absent, true),
            (Extract::ForeignScheme, true),
            (Extract::Found(header("yours")), false),
            (Extract::Malformed(Code::AmbiguousCredentials), false),
            (Extract::Malformed(Code::OriginNotAllowed), false),
        ] {
            assert_eq!(bound.admits(&found, None), is_admitted, "{found:?}");
        }
    }

    #[test]
    fn row_26_what_came_in_a_packet_binds_nothing() {
        for source in [SourceKind::Payload, SourceKind::Event] {
            let unbound = SessionBinding::new(Some(&Credential::new("a", source)));
            let other = Credential::new("b", SourceKind::Cookie);
            assert!(unbound.admits(&Extract::Found(other), None));
        }
    }

    #[test]
    fn row_26_a_session_bound_to_an_address_takes_no_other() {
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
        let mapped = "::ffff:192.0.2.1".parse().ok();
        let bound = SessionBinding::new(None).with_peer(first.expect("an address"));
        assert!(bound.admits(&Extract::Absent, first));
        assert!(bound.admits(&Extract::Absent, mapped));
        assert!(!bound.admits(&Extract::Absent, second));
        assert!(!bound.admits(&Extract::Absent, None));
    }
}
