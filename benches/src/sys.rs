//! The few system calls that the standard library does not offer.

#![expect(
    unsafe_code,
    reason = "a yardstick must not pay for an abstraction; every call is checked below"
)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What happened on a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The number it was added with.
    pub token: u64,
    /// Reading will not block; also set when the peer has gone.
    pub is_readable: bool,
    /// Writing will not block.
    pub is_writable: bool,
    /// The peer sends no more.
    pub is_hung_up: bool,
}

/// An epoll instance, edge-triggered.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    events: Box<[libc::epoll_event]>,
}

/// Events taken from the kernel at once.
const BATCH: usize = 512;

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// When the process may have no more descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; the result is checked before it is owned.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let fd = check(fd)?;
        Ok(Self {
            // SAFETY: the kernel has just given this descriptor to us alone.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            events: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH].into_boxed_slice(),
        })
    }

    /// Adds a descriptor, which leaves the set when it is closed.
    ///
    /// # Errors
    ///
    /// As `epoll_ctl`.
    pub fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: token,
        };
        // SAFETY: `event` outlives the call, which copies it; both descriptors are open.
        let result = unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        };
        check(result).map(drop)
    }

    /// Waits for events; none after `timeout`.
    ///
    /// # Errors
    ///
    /// As `epoll_wait`, without interruptions.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let millis = timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
        });
        let capacity = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        // SAFETY: the kernel writes at most `capacity` events into a buffer that has room for them.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                capacity,
                millis,
            )
        };
        match check(count) {
            Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// One of the events that the last [`Epoll::wait`] counted.
    #[must_use]
    pub fn event(&self, index: usize) -> Option<Ready> {
        let event = self.events.get(index)?;
        let has = |flags: i32| event.events & flags.cast_unsigned() != 0;
        Some(Ready {
            token: event.u64,
            is_readable: has(libc::EPOLLIN | libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLRDHUP),
            is_writable: has(libc::EPOLLOUT),
            is_hung_up: has(libc::EPOLLHUP | libc::EPOLLERR | libc::EPOLLRDHUP),
        })
    }
}

/// Accepts a connection that does not block, without a second system call for it.
///
/// # Errors
///
/// As `accept4`.
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: null pointers say that the peer's address is not wanted.
    let fd = unsafe {
        libc::accept4(
            listener.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            flags,
        )
    };
    let fd = check(fd)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { TcpStream::from_raw_fd(fd) })
}

/// Small packets leave at once, on every connection that the listener accepts from now on.
///
/// # Errors
///
/// As `setsockopt`.
pub fn set_nodelay(socket: &impl AsRawFd) -> io::Result<()> {
    set_flag(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY)
}

/// A connection from a loopback address of the caller's choice, so that one client machine has more than one
/// address's worth of ports.
///
/// # Errors
///
/// As `socket`, `bind` and `connect`.
pub fn connect_from(source: [u8; 4], target: SocketAddr) -> io::Result<TcpStream> {
    let SocketAddr::V4(target) = target else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointer; the result is checked before it is owned.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    set_flag(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)?;
    let (local, length) = address(source, 0);
    // SAFETY: `local` is an initialised address of `length` bytes.
    check(unsafe { libc::bind(fd, (&raw const local).cast(), length) })?;
    let (remote, length) = address(target.ip().octets(), target.port());
    // SAFETY: `remote` is an initialised address of `length` bytes.
    check(unsafe { libc::connect(fd, (&raw const remote).cast(), length) })?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Keeps this process, and those it starts from now on, on one core.
///
/// # Errors
///
/// When there is no such core.
pub fn pin_to(core: usize) -> io::Result<()> {
    pin_to_all(&[core])
}

/// Keeps this process, and those it starts from now on, on these cores.
///
/// # Errors
///
/// When there are no such cores.
pub fn pin_to_all(cores: &[usize]) -> io::Result<()> {
    // SAFETY: an all-zero set is the empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    for core in cores {
        if *core >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: `CPU_SET` writes within the set for an index that is checked.
        unsafe { libc::CPU_SET(*core, &mut set) };
    }
    // SAFETY: `set` outlives the call and has the size that is given.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
        .map(drop)
}

/// Allows as many descriptors as the system does; how many that is.
///
/// # Errors
///
/// As `setrlimit`.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    // SAFETY: plain numbers, for which zeroes are valid.
    let mut limit: libc::rlimit = unsafe { zeroed() };
    // SAFETY: `limit` outlives the call, which fills it.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` outlives the call, which only reads it.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(limit.rlim_cur)
}

/// Asks a process to end.
///
/// # Errors
///
/// When there is no such process.
pub fn terminate(process: u32) -> io::Result<()> {
    let process = i32::try_from(process).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: takes no pointer.
    check(unsafe { libc::kill(process, libc::SIGTERM) }).map(drop)
}

fn set_flag(fd: RawFd, level: i32, option: i32) -> io::Result<()> {
    let on: i32 = 1;
    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(0);
    // SAFETY: the value outlives the call and has the length that is given.
    check(unsafe { libc::setsockopt(fd, level, option, (&raw const on).cast(), length) }).map(drop)
}

fn address(ip: [u8; 4], port: u16) -> (libc::sockaddr_in, libc::socklen_t) {
    // SAFETY: plain numbers, for which zeroes are valid.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    address.sin_family = libc::sa_family_t::try_from(libc::AF_INET).unwrap_or(0);
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from_ne_bytes(ip);
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_in>()).unwrap_or(0);
    (address, length)
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
