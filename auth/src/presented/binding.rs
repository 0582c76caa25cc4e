//! The value that stands for a connection where its id must not be shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The one-way value of an Engine.IO session id, for [`AuthContext::with_binding`](crate::AuthContext::with_binding):
/// 43 characters, the SHA-256 in Base64url. Whoever sees it cannot take the session over.
///
/// ```
/// let binding = socketio_auth::server::connection_binding("lv_VI97HAXpY6yYWAAAB");
/// assert_eq!(binding.len(), 43);
/// ```
#[must_use]
pub fn connection_binding(session_id: &str) -> String {
    binding_of(session_id.as_bytes())
}

/// The same for the bytes of an id.
pub(super) fn binding_of(session_id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(session_id))
}
