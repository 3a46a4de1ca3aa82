//! Sockets between the processes of one host.
//!
//! A broker listens on a Unix socket in Linux's abstract namespace whose name is its incarnation. The kernel keeps one
//! such namespace per network namespace, so the name is found exactly by the processes that share the network with the
//! broker: nothing has to be published, a container with a network of its own is refused at once and goes over TCP, and
//! the name is gone with the process. Other users of the host can connect, as they can over loopback: the handshake
//! decides who is a peer.

use crate::ids::Incarnation;
use std::io;

pub(super) use imp::{dial, listen, Listener, Stream};

/// What connections that peers of this host make count as where peers are counted by their address.
pub(super) const PEER_ADDRESS: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[cfg(target_os = "linux")]
mod imp {
    use super::{io, Incarnation};

    pub(crate) type Listener = tokio::net::UnixListener;
    pub(crate) type Stream = tokio::net::UnixStream;

    /// The leading NUL puts the name into the abstract namespace.
    fn name(incarnation: &Incarnation) -> String {
        format!("\0dworker/{incarnation}")
    }

    pub(crate) fn listen(incarnation: &Incarnation) -> io::Result<Listener> {
        Listener::bind(name(incarnation))
    }

    /// Fails at once where nobody listens under this name here.
    pub(crate) async fn dial(incarnation: &Incarnation) -> io::Result<Stream> {
        Stream::connect(name(incarnation)).await
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{io, Incarnation};

    pub enum Stream {}

    pub enum Listener {}

    impl Listener {
        pub async fn accept(&self) -> io::Result<(Stream, ())> {
            match *self {}
        }
    }

    pub fn listen(_incarnation: &Incarnation) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub async fn dial(_incarnation: &Incarnation) -> io::Result<Stream> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
