//! Signs and renews the tokens that the chat asks for. A real application has a login of its own here.

use std::error::Error;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use socketio::auth::jwt::JwtAuthenticator;
use socketio::auth::{AuthContext, Authenticator, Credential, Outcome, SourceKind};

use crate::hall::is_name;

const ISSUER: &str = "http://localhost/chat";
const AUDIENCE: &str = "chat";
/// The longest name, in bytes.
const NAME_MAX: usize = 20;

/// What a token says; the handlers see it as the socket's data.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who it is.
    pub(crate) sub: String,
    iss: String,
    aud: String,
    exp: u64,
}

/// A token as the page gets it.
#[derive(Serialize)]
pub(crate) struct Issued {
    name: String,
    token: String,
    expires_in: u64,
}

pub(crate) struct Tokens {
    key: EncodingKey,
    authenticator: JwtAuthenticator<Claims>,
    life: Duration,
}

impl Tokens {
    /// With the secret in `JWT_SECRET`, or one that lasts as long as the process.
    pub(crate) fn from_environment() -> Result<Self, Box<dyn Error>> {
        // Signing is done with jsonwebtoken itself, which must be told of its backend; an error says that it was.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let secret = match std::env::var("JWT_SECRET") {
            Ok(secret) => secret.into_bytes(),
            Err(_) => random_secret()?,
        };
        let life = match std::env::var("TOKEN_LIFE_SECONDS") {
            Ok(seconds) => Duration::from_secs(seconds.parse()?),
            Err(_) => Duration::from_secs(60),
        };
        let authenticator = JwtAuthenticator::builder()
            .hs256(&secret)
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .leeway(Duration::ZERO)
            .build()?;
        Ok(Self {
            key: EncodingKey::from_secret(&secret),
            authenticator,
            life,
        })
    }

    /// What the namespaces are guarded with.
    pub(crate) fn authenticator(&self) -> JwtAuthenticator<Claims> {
        self.authenticator.clone()
    }

    pub(crate) fn issue(&self, name: &str) -> Result<Issued, Box<dyn Error>> {
        if !is_name(name, NAME_MAX) {
            return Err("a name is 1 to 20 letters, digits, - or _".into());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "when a token is signed is this program's to say"
        )]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let claims = Claims {
            sub: name.to_owned(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: (now + self.life).as_secs(),
        };
        Ok(Issued {
            name: claims.sub.clone(),
            token: encode(&Header::new(Algorithm::HS256), &claims, &self.key)?,
            expires_in: self.life.as_secs(),
        })
    }

    /// A fresh token for whoever holds one that is still good.
    pub(crate) async fn renew(&self, token: &str) -> Result<Issued, Box<dyn Error>> {
        let credential = Credential::new(token, SourceKind::Authorization);
        match self
            .authenticator
            .authenticate(&AuthContext::new("/renew"), &credential)
            .await
        {
            Outcome::Accept(grant) => self.issue(grant.subject().id()),
            _ => Err("the token does not hold any more".into()),
        }
    }
}

fn random_secret() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut secret = vec![0; 32];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    Ok(secret)
}
