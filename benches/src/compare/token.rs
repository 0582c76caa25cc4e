//! A JSON Web Token that the `auth` profile accepts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The shared secret of the scenarios that verify a token.
pub(super) const SECRET: &str = "a secret of the benchmark, 32 bytes at least";

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The claims of FIXTURE.md's `auth` profile; they expire in the year 2100.
const CLAIMS: &str =
    r#"{"sub":"client","aud":"fixture","iss":"https://issuer.example","exp":4102444800}"#;

/// A token signed with HS256 and this secret.
#[must_use]
pub fn token(secret: &str) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(HEADER);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(CLAIMS, &mut text);
    let signature = match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        // HMAC takes a key of any length.
        Err(_) => Vec::new(),
    };
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_depends_on_the_secret() {
        let one = token("a");
        assert_eq!(one.split('.').count(), 3);
        assert_ne!(one, token("b"));
        let claims = one.split('.').nth(1).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(claims).unwrap(), CLAIMS.as_bytes());
    }
}
