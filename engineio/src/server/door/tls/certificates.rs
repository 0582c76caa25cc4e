//! Who the server says it is, and how that is replaced.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::lock::Lock;

/// What is spoken inside TLS, as ALPN calls it. HTTP/2 is not spoken at this door, and so it is not announced.
const PROTOCOL: &[u8] = b"http/1.1";

/// The certificates that are in force, and the rest of how TLS is spoken. A clone is the same, so whoever keeps one can
/// replace what a [`TlsListener`](super::TlsListener) shows.
///
/// From PEM, TLS 1.2 and 1.3 are spoken with the cipher suites that rustls holds safe, no client is asked for a certificate,
/// and clients may resume a session for a day by a ticket whose key lives as long as the certificate is in force.
/// [`from_config`](Self::from_config) is for anything else.
///
/// ```no_run
/// use engineio::{Certificates, TlsListener};
///
/// # async fn run(engine: engineio::Engine<()>) -> Result<(), Box<dyn std::error::Error>> {
/// let certificates = Certificates::from_pem_files("chain.pem", "key.pem")?;
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
/// engine.serve(TlsListener::new(listener, certificates)).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

struct Inner {
    files: Option<Files>,
    in_force: Lock<Arc<ServerConfig>>,
}

struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.0.files.as_ref();
        f.debug_struct("Certificates")
            .field("chain", &files.map(|files| &files.chain))
            .field("key", &files.map(|files| &files.key))
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads a chain of certificates, the server's own first, and its key. Both files are text (PEM); they may be the same
    /// one, and [`reload`](Self::reload) reads them again.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, lacks what it should have, or the key is not that of the first certificate.
    pub fn from_pem_files(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files {
            chain: chain.into(),
            key: key.into(),
        };
        let config = files.read()?;
        Ok(Self::new(config, Some(files)))
    }

    /// The same from the text of such files.
    ///
    /// # Errors
    ///
    /// As [`from_pem_files`](Self::from_pem_files), but for reading.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let config = config_of(
            &Source::given("the chain", chain),
            &Source::given("the key", key),
        )?;
        Ok(Self::new(config, None))
    }

    /// Speaks TLS as this configuration of rustls 0.23 says: several names, client certificates, certificates that come from
    /// elsewhere. Where it names no protocol (ALPN), `http/1.1` is announced.
    ///
    /// # Errors
    ///
    /// [`TlsError::Protocol`] when it names another: this door does not speak it.
    pub fn from_config(mut config: ServerConfig) -> Result<Self, TlsError> {
        let protocols = &mut config.alpn_protocols;
        if let Some(other) = protocols.iter().find(|&protocol| protocol != PROTOCOL) {
            let other = String::from_utf8_lossy(other).into_owned();
            return Err(TlsError::Protocol(other));
        }
        *protocols = vec![PROTOCOL.to_vec()];
        Ok(Self::new(config, None))
    }

    fn new(config: ServerConfig, files: Option<Files>) -> Self {
        Self(Arc::new(Inner {
            files,
            in_force: Lock::new(Arc::new(config)),
        }))
    }

    /// Reads the files again. Handshakes that begin from now on see what is in them; connections that are open stay. It
    /// blocks for as long as reading takes.
    ///
    /// # Errors
    ///
    /// As [`from_pem_files`](Self::from_pem_files), and then nothing has changed. That happens when the files are read between
    /// the writing of one and of the other; it is done again after it. [`TlsError::NoFiles`] when there are none.
    pub fn reload(&self) -> Result<(), TlsError> {
        let files = self.0.files.as_ref().ok_or(TlsError::NoFiles)?;
        let config = files.read()?;
        *self.0.in_force.lock() = Arc::new(config);
        Ok(())
    }

    /// Puts what `others` has in force here, for certificates that do not come from files. Handshakes that begin from now on
    /// see it; connections that are open stay.
    pub fn replace(&self, others: &Self) {
        let config = others.in_force();
        *self.0.in_force.lock() = config;
    }

    fn in_force(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.in_force.lock())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.in_force())
    }
}

impl Files {
    fn read(&self) -> Result<ServerConfig, TlsError> {
        let chain = Source::file(&self.chain)?;
        let key = Source::file(&self.key)?;
        config_of(&chain, &key)
    }
}

/// A text, and what it is called in an error.
struct Source<'a> {
    name: String,
    text: std::borrow::Cow<'a, [u8]>,
}

impl<'a> Source<'a> {
    fn given(name: &str, text: &'a [u8]) -> Self {
        Self {
            name: name.to_owned(),
            text: text.into(),
        }
    }

    fn file(path: &Path) -> Result<Self, TlsError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(text) => Ok(Self {
                name,
                text: text.into(),
            }),
            Err(error) => Err(TlsError::Read { name, error }),
        }
    }
}

fn config_of(chain: &Source<'_>, key: &Source<'_>) -> Result<ServerConfig, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(&chain.text).collect::<Result<Vec<_>, _>>();
    let certificates = match certificates {
        Ok(certificates) if !certificates.is_empty() => certificates,
        Ok(_) | Err(_) => return Err(TlsError::NoCertificate(chain.name.clone())),
    };
    let found = PrivateKeyDer::from_pem_slice(&key.text);
    let key = found.map_err(|_| TlsError::NoKey(key.name.clone()))?;
    // Named here, for an application may have brought another one along, and rustls does not choose.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // All clients come back at once after a restart of a proxy or a network; a ticket saves the signature of each.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Unusable)?;
    Ok(config)
}

/// Why there is no TLS by these files, texts or configuration. No error shows anything of a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    Read {
        /// Its path.
        name: String,
        /// What the operating system says.
        error: io::Error,
    },
    /// There is no certificate in it, or one that is cut off.
    NoCertificate(String),
    /// There is no private key in it, or it is protected by a password.
    NoKey(String),
    /// The certificate cannot be shown: the key is another one's, or rustls does not know its kind.
    Unusable(rustls::Error),
    /// The configuration announces this protocol, which the engine's own door does not speak.
    Protocol(String),
    /// There are no files to read again.
    NoFiles,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { name, error } => write!(f, "{name} cannot be read: {error}"),
            Self::NoCertificate(name) => write!(f, "{name} has no whole certificate in it"),
            Self::NoKey(name) => write!(f, "{name} has no private key in it that can be read"),
            Self::Unusable(error) => write!(f, "the certificate cannot be used: {error}"),
            Self::Protocol(name) => {
                write!(f, "{name} is not spoken here, so it must not be announced")
            }
            Self::NoFiles => f.write_str("these certificates do not come from files"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::Unusable(error) => Some(error),
            Self::NoCertificate(_) | Self::NoKey(_) | Self::Protocol(_) | Self::NoFiles => None,
        }
    }
}
