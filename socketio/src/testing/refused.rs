//! What a client in memory is refused with.

use std::fmt;

use serde_json::Value;

/// Why a namespace was not joined, as a client reads it in `connect_error`.
///
/// ```
/// use socketio::auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, auth_fn};
/// use socketio::{SocketIo, testing::TestClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), socketio::BuildError> {
/// let nobody = auth_fn(|_: AuthContext, _: Credential| async {
///     Outcome::<()>::Reject(Code::InvalidToken.into())
/// });
/// let io = SocketIo::builder().authenticate(InHandshake::new(nobody)).build()?;
/// io.namespace("/").open()?;
/// let mut client = TestClient::open(&io).await;
/// let refused = client.try_connect("/", &serde_json::json!({ "token": "x" })).await.unwrap_err();
/// assert_eq!(refused.data["code"], "invalid_token");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refused {
    /// The `message` of the error.
    pub message: String,
    /// Its `data`; null where there is none.
    pub data: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}
