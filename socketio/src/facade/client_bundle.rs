//! The browser client's files, as the reference serves them (SRV-FILE-01).

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use engineio::RequestView;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;

/// The files served, and no others: a name from the network never becomes a path.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// The official JavaScript client, read once from an installed npm package and kept in memory, plain and gzipped.
///
/// Served as `<path>/socket.io.js` and so on with the client's version as `ETag`, by whatever is handed the request:
/// [`SocketIo::serve`](crate::SocketIo::serve) for all of them, and [`SocketIo::service`](crate::SocketIo::service) for those that are
/// routed to it. A router whose route is the path alone needs a second one for the files; in axum
/// `.route_service("/socket.io/{file}", io.service())`.
///
/// ```no_run
/// use socketio::{ClientBundle, SocketIo};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bundle = ClientBundle::from_package("node_modules/socket.io-client")?;
/// let io = SocketIo::builder().client_bundle(bundle).build()?;
/// # let _ = io; Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ClientBundle(Arc<Files>);

#[derive(Debug)]
struct Files {
    etag: HeaderValue,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: &'static str,
    plain: Bytes,
    gzipped: Bytes,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

impl ClientBundle {
    /// Reads the bundle of the package in this folder: `socket.io-client`, or `socket.io`, which brings it along.
    ///
    /// # Errors
    ///
    /// When the folder is no such package: its `package.json` or its `socket.io.js` is missing or unreadable.
    pub fn from_package(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref();
        let package: Package =
            serde_json::from_slice(&std::fs::read(folder.join("package.json"))?)?;
        let etag =
            HeaderValue::try_from(format!("\"{}\"", package.version)).map_err(io::Error::other)?;
        let (here, there) = (folder.join("client-dist"), folder.join("dist"));
        let dist = if here.is_dir() { here } else { there };
        let mut files = Vec::new();
        for name in NAMES {
            match std::fs::read(dist.join(name)) {
                Ok(plain) => files.push(File::new(name, plain)?),
                // Packages differ in which of the variants they bring.
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != NAMES[0] => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(Arc::new(Files { etag, files })))
    }

    /// The answer to a request for `name`; `None` when it is none of the files.
    pub(crate) fn respond(&self, request: &RequestView<'_>, name: &str) -> Option<Response<Bytes>> {
        let file = self.0.files.iter().find(|file| file.name == name)?;
        let etag = &self.0.etag;
        let is_known = request
            .header_values("if-none-match")
            .any(|known| known.strip_prefix(b"W/").unwrap_or(known) == etag.as_bytes());
        let accepts_gzip = request.accepts_encoding("gzip");
        let mut response = Response::new(match (is_known, accepts_gzip) {
            (true, _) => Bytes::new(),
            (_, true) => file.gzipped.clone(),
            (_, false) => file.plain.clone(),
        });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, etag.clone());
        let caching = HeaderValue::from_static("public, max-age=0");
        headers.insert(header::CACHE_CONTROL, caching);
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if !is_known {
            headers.insert(header::CONTENT_TYPE, file.content_type());
            if accepts_gzip {
                let gzip = HeaderValue::from_static("gzip");
                headers.insert(header::CONTENT_ENCODING, gzip);
            }
        }
        Some(response)
    }
}

impl File {
    fn new(name: &'static str, plain: Vec<u8>) -> io::Result<Self> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&plain)?;
        Ok(Self {
            name,
            plain: plain.into(),
            gzipped: gzip.finish()?.into(),
        })
    }

    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(if self.name.ends_with(".map") {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_package_is_refused() {
        let error = ClientBundle::from_package("/nowhere").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
