//! Random texts, too long to guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::secret::Secret;

/// 256 bits from the operating system behind `prefix`, as 43 characters of Base64url; `None` when it has none.
pub(crate) fn unguessable(prefix: &str) -> Option<Secret> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).ok()?;
    let mut text = String::with_capacity(prefix.len() + 43);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
    Some(Secret::new(text))
}
