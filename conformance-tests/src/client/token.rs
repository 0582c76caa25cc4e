//! JSON Web Tokens, good and bad, signed by hand.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A token being written: by default one that the fixture accepts for a minute.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    header: Value,
    claims: Map<String, Value>,
    secret: String,
}

impl Token {
    /// A good token of this subject, for ten minutes.
    pub(crate) fn of(subject: &str) -> Self {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!(subject));
        claims.insert("aud".to_owned(), json!("fixture"));
        claims.insert("iss".to_owned(), json!("https://issuer.example"));
        claims.insert("iat".to_owned(), json!(now()));
        claims.insert("exp".to_owned(), json!(now() + 600));
        Self {
            header: json!({ "alg": "HS256", "typ": "JWT" }),
            claims,
            secret: crate::case::JWT_SECRET.to_owned(),
        }
    }

    /// Sets a claim.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Ends so many seconds from now.
    pub(crate) fn for_seconds(self, seconds: i64) -> Self {
        let end = i64::try_from(now()).unwrap_or_default() + seconds;
        self.with("exp", json!(end))
    }

    pub(crate) fn header(mut self, name: &str, value: &Value) -> Self {
        self.header[name] = value.clone();
        self
    }

    pub(crate) fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// Header, claims and signature.
    pub(crate) fn signed(&self) -> String {
        let text = self.unsigned();
        let signature = hmac_sha256(self.secret.as_bytes(), text.as_bytes());
        format!("{text}.{}", BASE64.encode(signature))
    }

    /// Header and claims alone.
    pub(crate) fn unsigned(&self) -> String {
        let header = BASE64.encode(self.header.to_string());
        let claims = BASE64.encode(Value::Object(self.claims.clone()).to_string());
        format!("{header}.{claims}")
    }
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens live by the wall clock, here and on the server"
)]
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// RFC 2104 with SHA-256, for keys of at most a block.
fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    const BLOCK_BYTES: usize = 64;
    let padded = |pad: u8| -> Vec<u8> {
        let bytes = key.iter().copied().chain(std::iter::repeat(0));
        bytes.take(BLOCK_BYTES).map(|byte| byte ^ pad).collect()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(padded(0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::hmac_sha256;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let signature = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(signature[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(signature[28..], [0x64, 0xec, 0x38, 0x43]);
    }
}
