//! One socket to Redis: how it is opened, which options it gets.

use crate::config::RedisConfig;
use crate::coordination::CoordinationError;
use redis::RedisConnectionInfo;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{lookup_host, TcpStream};

/// An idle connection is probed after this.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// Then this often.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Unacknowledged data ends a connection after this: a black-holed socket failed in 3.4 s, without it not within 25 s.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(3);

/// Either kind of socket.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// A connected socket.
pub struct Dialed {
    pub socket: Box<dyn Socket>,
    /// Our address on it; none for a Unix socket.
    pub local: Option<IpAddr>,
}

/// Where Redis is, and who we are there.
pub struct Dialer {
    config: RedisConfig,
    place: String,
}

impl Dialer {
    pub fn new(config: &RedisConfig) -> Self {
        let place = match &config.path {
            Some(path) => path.clone(),
            None if config.host.contains(':') => format!("[{}]:{}", config.host, config.port),
            None => format!("{}:{}", config.host, config.port),
        };
        Self { config: config.clone(), place }
    }

    /// host:port or path, for errors.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// What the redis crate needs for AUTH and SELECT.
    pub fn login(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(i64::from(self.config.db)).set_skip_set_lib_name();
        if let Some(password) = &self.config.password {
            info = info.set_password(password);
            if let Some(username) = &self.config.username {
                info = info.set_username(username);
            }
        }
        info
    }

    /// Opens a socket. Has no deadline of its own.
    pub async fn dial(&self) -> Result<Dialed, CoordinationError> {
        self.open().await.map_err(|error| {
            CoordinationError::Unavailable(format!("Redis at {}: cannot connect: {error}", self.place))
        })
    }

    async fn open(&self) -> io::Result<Dialed> {
        if let Some(path) = &self.config.path {
            return open_path(path).await;
        }
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((self.config.host.as_str(), self.config.port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    tune(&stream)?;
                    let local = stream.local_addr()?.ip().to_canonical();
                    return Ok(Dialed { socket: Box::new(stream), local: Some(local) });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
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
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
