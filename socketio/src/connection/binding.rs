//! Binding a session to what authenticated it, so that a stolen session id is not enough.

use engineio::RequestView;
use socketio_auth::{Extract, SessionBinding};

use crate::authority::authority::Policies;
use crate::authority::secrets::Secrets;
use crate::live::client::{Client, Presented, own_address};

/// What the opening request presents; nothing is bound before it authenticated.
pub(super) fn presented_in(
    policies: &Policies,
    request: &RequestView<'_>,
    secrets: Option<&Secrets>,
) -> Box<[Presented]> {
    let presented = policies.extract(request, secrets);
    presented
        .map(|(policy, found)| Presented {
            policy,
            found,
            is_bound: false,
        })
        .collect()
}

impl Client {
    /// What the opening request presented to this policy authenticated.
    pub(super) fn bind(&self, policy: usize) {
        let mut state = self.state.lock();
        let of_policy = state.presented.iter_mut().find(|of| of.policy == policy);
        if let Some(presented) = of_policy {
            presented.is_bound = true;
        }
    }

    /// Whether a later request comes from where it may, and presents nothing else than what authenticated, or nothing
    /// at all.
    pub(super) fn is_owner(&self, request: &RequestView<'_>) -> bool {
        let is_bound = self.server.settings.binds_peer;
        if is_bound && own_address(request.peer()) != self.address() {
            return false;
        }
        let bound: Vec<_> = {
            let state = self.state.lock();
            let bound = state.presented.iter().filter(|of| of.is_bound);
            bound
                .map(|of| match &of.found {
                    Ok(Extract::Found(credential)) => {
                        (of.policy, SessionBinding::new(Some(credential)))
                    }
                    _ => (of.policy, SessionBinding::default()),
                })
                .collect()
        };
        bound.iter().all(|(policy, binding)| {
            let found = self.server.authority.extract_for(*policy, request);
            binding.admits(&found, None)
        })
    }
}
