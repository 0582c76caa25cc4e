//! The public key of an X.509 certificate (RFC 5280 §4.1). Some issuers publish their keys in no other form.
//!
//! A certificate is a wrapper here and nothing else: whoever configured it trusts its key, so neither its dates nor its
//! issuer are looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: the version.
const VERSION: u8 = 0xA0;

/// True of a text with a certificate in PEM form.
pub(super) fn is_certificate(pem: &str) -> bool {
    pem.contains(BEGIN)
}

/// The public key of the first certificate of a PEM text, as a PEM text of its own.
pub(super) fn public_key(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let key = STANDARD.encode(subject_public_key_info(&der)?);
    Some(format!(
        "-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n"
    ))
}

/// The `subjectPublicKeyInfo` of a certificate, tag and length included.
fn subject_public_key_info(certificate: &[u8]) -> Option<&[u8]> {
    let mut whole = Der(certificate);
    let mut signed = Der(whole.take(SEQUENCE)?.content);
    let mut fields = Der(signed.take(SEQUENCE)?.content);
    if fields.0.first() == Some(&VERSION) {
        fields.take(VERSION)?;
    }
    fields.take(INTEGER)?;
    let (_signature_algorithm, _issuer) = (fields.take(SEQUENCE)?, fields.take(SEQUENCE)?);
    let (_validity, _subject) = (fields.take(SEQUENCE)?, fields.take(SEQUENCE)?);
    Some(fields.take(SEQUENCE)?.whole)
}

/// A cursor over values in DER (X.690 §8.1).
struct Der<'a>(&'a [u8]);

struct Value<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

impl<'a> Der<'a> {
    /// Takes the next value, which has to have this tag.
    fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let start = self.0;
        let (found, rest) = start.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7F => (usize::from(*first), rest),
            // How many bytes of length follow. An endless value has none, which DER does not know.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
                let add = |len: usize, byte: &u8| len.checked_mul(256)?.checked_add((*byte).into());
                (bytes.iter().try_fold(0, add)?, rest)
            }
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(len)?;
        let (whole, _) = start.split_at_checked(start.len() - behind.len())?;
        self.0 = behind;
        (*found == tag).then_some(Value { whole, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATES: [(&str, &str); 4] = [
        (
            include_str!("tests/pem/rsa2048.crt.pem"),
            include_str!("../testing/pem/rsa2048.pub.pem"),
        ),
        (
            include_str!("tests/pem/p256.crt.pem"),
            include_str!("../testing/pem/p256.pub.pem"),
        ),
        (
            include_str!("tests/pem/p384.crt.pem"),
            include_str!("../testing/pem/p384.pub.pem"),
        ),
        (
            include_str!("tests/pem/ed25519.crt.pem"),
            include_str!("../testing/pem/ed25519.pub.pem"),
        ),
    ];

    #[test]
    fn the_key_of_a_certificate_is_that_which_it_was_made_of() {
        let joined = |pem: &str| pem.split_ascii_whitespace().collect::<String>();
        for (certificate, key) in CERTIFICATES {
            assert_eq!(joined(&public_key(certificate).unwrap()), joined(key));
            let chain = format!("# leaf first\n{certificate}{}", CERTIFICATES[0].0);
            assert_eq!(joined(&public_key(&chain).unwrap()), joined(key));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_short_or_spoilt_has_no_key_and_does_no_harm() {
        let (pem, _) = CERTIFICATES[1];
        let body = pem.split_once(BEGIN).unwrap().1.split_once(END).unwrap().0;
        let base64: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).unwrap();
        for len in 0..der.len() {
            assert_eq!(subject_public_key_info(&der[..len]), None, "{len}");
        }
        for place in 0..der.len() {
            for value in [0, 0x7F, 0x80, 0x84, 0x85, 0xFF] {
                let mut spoilt = der.clone();
                spoilt[place] = value;
                let key = subject_public_key_info(&spoilt);
                assert!(key.is_none_or(|key| key.len() <= der.len()));
            }
        }
        assert_eq!(public_key("-----BEGIN CERTIFICATE-----"), None);
        assert_eq!(
            public_key("-----BEGIN CERTIFICATE-----?-----END CERTIFICATE-----"),
            None
        );
    }
}
