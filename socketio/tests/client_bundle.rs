//! The browser client's files, over real sockets (SRV-FILE-01).
#![cfg(feature = "client-bundle")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use socketio::{ClientBundle, SocketIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A package as npm installs it, with two of the files.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(folder.join("dist")).expect("a folder can be made");
        std::fs::write(folder.join("package.json"), r#"{"version":"4.8.4"}"#)
            .expect("a file can be written");
        std::fs::write(folder.join("dist/socket.io.js"), "the client")
            .expect("a file can be written");
        std::fs::write(folder.join("dist/socket.io.js.map"), "{}").expect("a file can be written");
        std::fs::write(folder.join("dist/secret.js"), "not for you")
            .expect("a file can be written");
        Self(folder)
    }
}

async fn serve(package: &Package) -> SocketAddr {
    let bundle = ClientBundle::from_package(&package.0).expect("it is a package");
    let io = SocketIo::builder()
        .client_bundle(bundle)
        .build()
        .expect("the options fit");
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move { io.serve(listener).await });
    address
}

/// The head, with lower-case names, and the body of the answer.
async fn get(address: SocketAddr, target: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the server reads");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .expect("the server answers");
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .expect("a head ends");
    let head = String::from_utf8(answer[..end].to_vec()).expect("a head is text");
    (head.to_lowercase(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn the_files_are_served_with_the_clients_version() {
    let address = serve(&Package::new("served")).await;
    let (head, body) = get(address, "/socket.io/socket.io.js", "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("etag: \"4.8.4\""), "{head}");
    assert!(head.contains("cache-control: public, max-age=0"), "{head}");
    assert!(
        head.contains("content-type: application/javascript; charset=utf-8"),
        "{head}"
    );
    assert_eq!(body, b"the client");
    let (head, _) = get(address, "/socket.io/socket.io.js.map?x=1", "").await;
    assert!(
        head.contains("content-type: application/json; charset=utf-8"),
        "{head}"
    );
}

#[tokio::test]
async fn who_knows_the_version_gets_no_body() {
    let address = serve(&Package::new("known")).await;
    for known in ["\"4.8.4\"", "W/\"4.8.4\""] {
        let header = format!("If-None-Match: {known}\r\n");
        let (head, body) = get(address, "/socket.io/socket.io.js", &header).await;
        assert!(head.starts_with("http/1.1 304"), "{head}");
        assert_eq!(body, b"");
    }
    let other = "If-None-Match: \"4.8.3\"\r\n";
    let (head, _) = get(address, "/socket.io/socket.io.js", other).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

#[tokio::test]
async fn gzip_is_used_where_it_is_accepted() {
    let address = serve(&Package::new("gzip")).await;
    let accepting = "Accept-Encoding: gzip\r\n";
    let (head, body) = get(address, "/socket.io/socket.io.js", accepting).await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert_eq!(body[..2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn any_other_name_is_the_engines_to_refuse() {
    let address = serve(&Package::new("other")).await;
    for name in [
        "secret.js",
        "socket.io.min.js",
        "x/socket.io.js",
        "../socket.io/socket.io.js/..",
        "%2e%2e/package.json",
    ] {
        let (head, body) = get(address, &format!("/socket.io/{name}"), "").await;
        assert!(head.starts_with("http/1.1 400"), "{name}: {head}");
        assert_eq!(
            body, br#"{"code":0,"message":"Transport unknown"}"#,
            "{name}"
        );
    }
}
