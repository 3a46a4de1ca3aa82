//! One socket: how it is opened, which options it gets.

use super::tls::Tls;
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{lookup_host, TcpStream};

/// An idle connection is probed after this, and this often. Together with [`USER_TIMEOUT`] it finds a half-open
/// connection on which nothing is sent.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// Unacknowledged data ends a connection after this: a black-holed socket failed in 3.4 s, without it not within 25 s.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(3);

/// Either kind of socket, with or without TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp { host: String, port: u16 },
    Unix(String),
}

impl Place {
    pub(super) fn tcp(host: &str, port: u16) -> Self {
        Self::Tcp { host: host.to_owned(), port }
    }
}

/// host:port or path.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// A connected socket.
pub(super) struct Dialed {
    pub socket: Box<dyn Socket>,
    /// Our address on it; none for a Unix socket.
    pub local: Option<IpAddr>,
}

/// Opens a socket. Has no deadline of its own.
pub(super) async fn open(place: &Place, tls: Option<&Tls>) -> io::Result<Dialed> {
    let (host, port) = match place {
        Place::Tcp { host, port } => (host.as_str(), *port),
        Place::Unix(path) => return open_path(path).await,
    };
    let stream = connect(host, port).await?;
    let local = Some(stream.local_addr()?.ip().to_canonical());
    let socket: Box<dyn Socket> = match tls {
        Some(tls) => Box::new(tls.wrap(host, stream).await?),
        None => Box::new(stream),
    };
    Ok(Dialed { socket, local })
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return tune(&stream).map(|()| stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(unix)]
async fn open_path(path: &str) -> io::Result<Dialed> {
    let stream = tokio::net::UnixStream::connect(path).await?;
    Ok(Dialed { socket: Box::new(stream), local: None })
}

#[cfg(not(unix))]
async fn open_path(_path: &str) -> io::Result<Dialed> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
