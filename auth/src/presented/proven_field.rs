//! A token together with the proof that its sender holds the key it is bound to.

use super::credential::{Credential, CredentialSource, Extract, SourceKind};
use super::request::HandshakeView;
use super::sources::from_field;
use crate::rejection::code::Code;

/// Between the token and its proof where both travel as one text; in neither alphabet.
pub(crate) const PROOF_SEPARATOR: char = '~';

/// Two fields of the CONNECT payload, usually `token` and `proof`, as one credential for a
/// [`JwtAuthenticator`](crate::jwt::JwtAuthenticator) with a
/// [`ProofOfPossession`](crate::jwt::ProofOfPossession).
///
/// Without a proof it is what [`AuthField`](crate::AuthField) is; a proof without a token is malformed.
///
/// ```
/// use socketio_auth::{CredentialSource, Extract, HandshakeView, ProvenAuthField};
/// use socketio_auth::server::NoRequest;
///
/// let payload = serde_json::json!({ "token": "a.b.c", "proof": "d.e.f" });
/// let view = HandshakeView::new(&NoRequest).with_payload(Some(&payload));
/// let found = ProvenAuthField { token: "token", proof: "proof" }.extract(&view);
/// assert!(matches!(found, Extract::Found(credential) if credential.token() == "a.b.c~d.e.f"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ProvenAuthField {
    /// The name of the field with the token.
    pub token: &'static str,
    /// The name of the field with the proof.
    pub proof: &'static str,
}

impl CredentialSource for ProvenAuthField {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        let field = |name| from_field(request.payload_field(name), SourceKind::Payload);
        match (field(self.token), field(self.proof)) {
            (Extract::Found(token), Extract::Found(proof)) => Extract::Found(Credential::new(
                format!("{}{PROOF_SEPARATOR}{}", token.token(), proof.token()),
                SourceKind::Payload,
            )),
            (token, Extract::Absent) => token,
            _ => Extract::Malformed(Code::CredentialsBadFormat),
        }
    }

    fn is_confined(&self) -> bool {
        true
    }
}
