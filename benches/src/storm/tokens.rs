//! A token for each client, as the `auth` profile wants them.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::workspace::root;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The shared secret of HS256.
const SECRET: &str = "a secret of the benchmark, 32 bytes at least";

/// What tokens are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A shared secret.
    Hs256,
    /// RSA with 2,048 bits.
    Rs256,
    /// ECDSA on P-256.
    Es256,
}

/// What signs.
enum Signer {
    Secret(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
    Curve(EcdsaKeyPair),
}

impl Algorithm {
    /// In the order of the report.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Rs256, Self::Es256];

    /// By the name that a token's header has.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// As a token's header has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// A key that the tests of tokens have.
    fn pem(self, end: &str) -> PathBuf {
        let name = match self {
            Self::Rs256 => "rsa2048",
            _ => "p256",
        };
        root().join(format!("auth/src/testing/pem/{name}{end}"))
    }

    /// Has a fixture verify with it.
    pub(super) fn tell(self, command: &mut Command) {
        command
            .env("JWT_ALG", self.name())
            .env("JWT_SECRET", SECRET)
            .env("JWT_PUBLIC_KEY", self.pem(".pub.pem"));
    }

    fn signer(self) -> Result<Signer, Box<dyn Error>> {
        if self == Self::Hs256 {
            return Ok(Signer::Secret(Box::new(hmac::Key::new(
                hmac::HMAC_SHA256,
                SECRET.as_bytes(),
            ))));
        }
        let text = fs::read_to_string(self.pem(".pem"))?;
        let lines = text.lines().filter(|line| !line.starts_with('-'));
        let key = STANDARD.decode(lines.collect::<String>())?;
        Ok(if self == Self::Rs256 {
            Signer::Rsa(Box::new(RsaKeyPair::from_pkcs8(&key)?))
        } else {
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            Signer::Curve(EcdsaKeyPair::from_pkcs8(algorithm, &key)?)
        })
    }

    /// What each of so many clients joins with, each with a token of its own that ends in the year 2100.
    pub(super) fn packets(self, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
        let signer = self.signer()?;
        let header = format!("{{\"alg\":\"{}\",\"typ\":\"JWT\"}}", self.name());
        (0..count)
            .map(|number| {
                let claims = format!(
                    "{{\"sub\":\"client-{number}\",\"aud\":\"fixture\",\"iss\":\"https://issuer.example\",\"exp\":4102444800}}"
                );
                let mut token = URL_SAFE_NO_PAD.encode(&header);
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(claims, &mut token);
                let signature = signer.sign(token.as_bytes())?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
                Ok(format!("40{{\"token\":\"{token}\"}}"))
            })
            .collect()
    }
}

impl Signer {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(match self {
            Self::Secret(key) => hmac::sign(key, text).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let padding: &dyn signature::RsaEncoding = &RSA_PKCS1_SHA256;
                key.sign(padding, &SystemRandom::new(), text, &mut signature)?;
                signature
            }
            Self::Curve(key) => key.sign(&SystemRandom::new(), text)?.as_ref().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_token_of_its_own_under_each_algorithm() {
        for algorithm in Algorithm::ALL {
            let packets = algorithm.packets(2).unwrap();
            assert_ne!(packets[0], packets[1]);
            assert_eq!(packets[0].split('.').count(), 3, "{}", packets[0]);
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
    }
}
