//! Files of any kind, sent in chunks: each is acknowledged, so that the sender knows how far it is and the server
//! never holds more than one chunk of each. Everyone else sees the progress.
//!
//! Run it with `cargo run -p socketio --example upload`, with an address and a folder behind `--` if you like. From
//! Node:
//!
//! ```js
//! const file = await readFile("photo.jpg");
//! await socket.emitWithAck("upload", { name: "photo.jpg", size: file.length });
//! for (let at = 0; at < file.length; at += 65_536) {
//!   const received = await socket.emitWithAck("chunk", at, file.subarray(at, at + 65_536));
//!   console.log(`${Math.round((100 * received) / file.length)} %`);
//! }
//! await socket.emitWithAck("finish");
//! ```
//!
//! What is refused is acknowledged with `{ error }`. A sender that leaves half-way leaves nothing behind.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::engineio::Cors;
use socketio::{Ack, Args, BuildError, Socket, SocketIo};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// The largest file, in bytes.
const SIZE_MAX: u64 = 10_000_000;
/// The largest chunk, in bytes.
const CHUNK_MAX: usize = 65_536;
/// How many files may be under way at once, over all sockets; so `SIZE_MAX` times this is what strangers can take of
/// the disk before anything is finished.
const UPLOADS_MAX: usize = 16;

/// Of the whole server.
struct Store {
    folder: PathBuf,
    free: Arc<Semaphore>,
}

/// What a sender says of its file.
#[derive(Clone, Deserialize)]
struct Announced {
    name: String,
    size: u64,
}

/// What the others see.
#[derive(Serialize)]
struct Progress<'a> {
    name: &'a str,
    received: u64,
    size: u64,
}

/// The file that a socket is sending, if it is.
type Slot = Mutex<Option<Upload>>;

struct Upload {
    announced: Announced,
    received: u64,
    file: Arc<File>,
    part: Part,
    _place: OwnedSemaphorePermit,
}

/// A file that has no name of its own yet, and is removed with this value.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there any more when it got its name.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a refused sender is told.
type Refused = &'static str;

async fn begin(socket: &Socket, announced: Announced) -> Result<(), Refused> {
    if !is_plain(&announced.name) {
        return Err("a name is 1 to 100 letters, digits, -, _ and ., and begins with no .");
    }
    if announced.size > SIZE_MAX {
        return Err("a file is 10,000,000 bytes long at most");
    }
    let slot = socket.extensions().get_or_insert_with(Slot::default);
    // What one socket sends at once waits here, and goes on in the order in which it came.
    let mut slot = slot.lock().await;
    if slot.is_some() {
        return Err("one file after the other");
    }
    let store = socket.state::<Store>();
    let place = Arc::clone(&store.free).try_acquire_owned();
    let place = place.map_err(|_| "too many files are under way; try again later")?;
    // A socket's id is the server's own: no name that a client chose is opened.
    let path = store.folder.join(format!("{}.part", socket.id()));
    let (file, part) = on_disk(move || Ok((File::create_new(&path)?, Part(path)))).await?;
    *slot = Some(Upload {
        announced,
        received: 0,
        file: Arc::new(file),
        part,
        _place: place,
    });
    Ok(())
}

async fn chunk(socket: &Socket, at: u64, bytes: Bytes) -> Result<Ack<u64>, Refused> {
    let slot = socket.extensions().get_or_insert_with(Slot::default);
    let mut slot = slot.lock().await;
    let upload = slot.as_mut().ok_or("no file is under way")?;
    if at != upload.received {
        return Err("this is not the next chunk");
    }
    if bytes.len() > CHUNK_MAX {
        return Err("a chunk is 65,536 bytes long at most");
    }
    let received = upload.received + bytes.len() as u64;
    if received > upload.announced.size {
        return Err("this is more than was announced");
    }
    let mut file = Arc::clone(&upload.file);
    if let Err(refused) = on_disk(move || file.write_all(&bytes)).await {
        // Nobody knows how much of it is written.
        *slot = None;
        return Err(refused);
    }
    upload.received = received;
    let Announced { name, size } = &upload.announced;
    let (name, size) = (name.as_str(), *size);
    let progress = Progress {
        name,
        received,
        size,
    };
    // Of each file only the latest waits for whoever is slow.
    let _ = socket
        .broadcast()
        .conflate(name)
        .emit("progress", &progress);
    Ok(Ack(received))
}

async fn finish(socket: &Socket) -> Result<Ack<u64>, Refused> {
    let slot = socket.extensions().get_or_insert_with(Slot::default);
    let mut slot = slot.lock().await;
    let is_whole = |upload: &mut Upload| upload.received == upload.announced.size;
    let upload = slot.take_if(is_whole).ok_or("there is something missing")?;
    let Upload {
        announced,
        file,
        part,
        ..
    } = upload;
    let path = socket.state::<Store>().folder.join(&announced.name);
    on_disk(move || {
        file.sync_all()?;
        // In place of another of that name.
        std::fs::rename(&part.0, path)
    })
    .await?;
    let Announced { name, size } = announced;
    let _ = socket.everyone().emit("uploaded", &Args((name, size)));
    Ok(Ack(size))
}

/// Lets the disk take its time on a thread where nobody waits for it.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            // Paths and such are not for strangers.
            eprintln!("the disk: {error}");
            Err("the server cannot store this")
        }
        Err(_) => Err("the server cannot store this"),
    }
}

fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_allowed)
}

fn build(folder: PathBuf) -> Result<SocketIo, BuildError> {
    let store = Store {
        folder,
        free: Arc::new(Semaphore::new(UPLOADS_MAX)),
    };
    let io = SocketIo::builder()
        .state(store)
        .engine(|engine| engine.cors(Cors::any()))
        .build()?;
    io.namespace("/")
        .on("upload", |socket, announced: Announced| async move {
            begin(&socket, announced).await
        })
        .on(
            "chunk",
            |socket, Args((at, bytes)): Args<(u64, Bytes)>| async move {
                chunk(&socket, at, bytes).await
            },
        )
        .on("finish", |socket, ()| async move { finish(&socket).await })
        .open()?;
    Ok(io)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let folder = arguments.next().unwrap_or_else(|| "uploads".to_owned());
    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    std::fs::create_dir_all(&folder)?;
    build(folder.into())?.serve(listener).await?;
    Ok(())
}
