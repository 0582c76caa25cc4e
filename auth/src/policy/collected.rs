//! What the sources found, as the policy sees it.

use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;

/// What a client presented, after the policy looked at it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Collected {
    /// A credential to verify.
    Credential(Credential),
    /// Nothing, and the policy lets such clients in.
    Guest,
    /// Nothing, and the policy wants something.
    Missing(Rejection),
    /// Something that cannot be a credential.
    Rejected(Rejection),
}
