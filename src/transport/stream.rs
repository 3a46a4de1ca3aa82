//! The kinds of byte streams that connections run on.

use super::config::KEEPALIVE;
use super::local;
use super::polled::PolledSocket;
use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use std::future::{poll_fn, Future};
use std::io;
use std::net::Shutdown;
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWrite, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

pub(super) enum Input {
    Tcp(Arc<TcpStream>),
    Local(Arc<local::Stream>),
    Polled(Arc<PolledSocket>),
    Tls(ReadHalf<TlsStream<TcpStream>>),
    Memory(ReadHalf<DuplexStream>),
}

/// The writing side of a socket, which any thread may use.
#[derive(Clone)]
pub(super) enum DirectOutput {
    Tcp(Arc<TcpStream>),
    Local(Arc<local::Stream>),
    Polled(Arc<PolledSocket>),
}

pub(super) enum Output {
    Socket(DirectOutput),
    /// One task writes: what another thread wrote could not be put in the order of its records.
    Tls(WriteHalf<TlsStream<TcpStream>>),
    Memory(WriteHalf<DuplexStream>),
}

/// Sets a socket up for small frames that must not wait.
pub(super) fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))
}

/// Whether this process, or the whole system, has no file descriptor left.
#[cfg(unix)]
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(windows)]
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    const WSAEMFILE: i32 = 10024;
    error.raw_os_error() == Some(WSAEMFILE)
}

pub(super) fn tcp(stream: TcpStream) -> (Input, Output) {
    let stream = Arc::new(stream);
    (Input::Tcp(stream.clone()), Output::Socket(DirectOutput::Tcp(stream)))
}

/// Bytes that a local socket takes before its reader looks; the system may allow less. Its default of 208 KiB holds a
/// dozen messages of 16 KiB, so that both sides woke up for each dozen of them, where TCP grows its buffers by itself.
#[cfg(target_os = "linux")]
const LOCAL_SEND_BUFFER: usize = 2 * 1024 * 1024;

pub(super) fn local(stream: local::Stream) -> (Input, Output) {
    // Where the system refuses, the socket only has the usual size.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&stream).set_send_buffer_size(LOCAL_SEND_BUFFER);
    let stream = Arc::new(stream);
    (Input::Local(stream.clone()), Output::Socket(DirectOutput::Local(stream)))
}

pub(super) fn tls(stream: TlsStream<TcpStream>) -> (Input, Output) {
    let (read, write) = tokio::io::split(stream);
    (Input::Tls(read), Output::Tls(write))
}

pub(super) fn memory(stream: DuplexStream) -> (Input, Output) {
    let (read, write) = tokio::io::split(stream);
    (Input::Memory(read), Output::Memory(write))
}

/// Reads once the socket is readable; a readiness that turned out to be stale is waited for again.
fn read_ready(
    buffer: &mut BytesMut,
    mut ready: impl FnMut() -> Poll<io::Result<()>>,
    mut read: impl FnMut(&mut BytesMut) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(ready())?;
        match read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

/// The same for writing.
fn write_ready(
    mut ready: impl FnMut() -> Poll<io::Result<()>>,
    mut write: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(ready())?;
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

impl Input {
    /// Reads into the room behind what `buffer` holds; 0 at the end. Cancel safe.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Input::Tcp(stream) => {
                read_ready(buffer, || stream.poll_read_ready(cx), |buffer| stream.try_read_buf(buffer))
            }
            #[cfg(target_os = "linux")]
            Input::Local(stream) => {
                read_ready(buffer, || stream.poll_read_ready(cx), |buffer| stream.try_read_buf(buffer))
            }
            #[cfg(not(target_os = "linux"))]
            Input::Local(stream) => match **stream {},
            Input::Polled(socket) => socket.poll_read(buffer),
            // Cancel safe: begun anew each time.
            Input::Tls(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Input::Memory(stream) => pin!(stream.read_buf(buffer)).poll(cx),
        }
    }

    /// Whether a read waits by itself when it has taken its share of a turn.
    pub(crate) fn takes_turns(&self) -> bool {
        matches!(self, Input::Polled(_))
    }

    /// The same socket for another loop: the runtime forgets it when the last part of it is dropped.
    pub(crate) fn leave_runtime(&self) -> io::Result<Arc<PolledSocket>> {
        match self {
            Input::Tcp(stream) => Ok(Arc::new(PolledSocket::new(SockRef::from(stream.as_ref()).try_clone()?))),
            #[cfg(target_os = "linux")]
            Input::Local(stream) => Ok(Arc::new(PolledSocket::new(SockRef::from(stream.as_ref()).try_clone()?))),
            #[cfg(not(target_os = "linux"))]
            Input::Local(stream) => match **stream {},
            Input::Polled(socket) => Ok(socket.clone()),
            Input::Tls(_) | Input::Memory(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl DirectOutput {
    /// One attempt without waiting, from any thread.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            DirectOutput::Tcp(stream) => stream.try_write(bytes),
            #[cfg(target_os = "linux")]
            DirectOutput::Local(stream) => stream.try_write(bytes),
            #[cfg(not(target_os = "linux"))]
            DirectOutput::Local(stream) => match **stream {},
            DirectOutput::Polled(socket) => socket.try_write(bytes),
        }
    }

    /// Ends both directions at once, whoever else holds the socket.
    pub(crate) fn cut(&self) {
        // Fails only where the peer was faster.
        let _ = self.shutdown(Shutdown::Both);
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            DirectOutput::Tcp(stream) => SockRef::from(stream.as_ref()).shutdown(how),
            #[cfg(target_os = "linux")]
            DirectOutput::Local(stream) => SockRef::from(stream.as_ref()).shutdown(how),
            #[cfg(not(target_os = "linux"))]
            DirectOutput::Local(stream) => match **stream {},
            DirectOutput::Polled(socket) => socket.shutdown(how),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            DirectOutput::Polled(socket) => socket.poll_write(bytes),
            DirectOutput::Tcp(stream) => write_ready(|| stream.poll_write_ready(cx), || stream.try_write(bytes)),
            #[cfg(target_os = "linux")]
            DirectOutput::Local(stream) => write_ready(|| stream.poll_write_ready(cx), || stream.try_write(bytes)),
            #[cfg(not(target_os = "linux"))]
            DirectOutput::Local(stream) => match **stream {},
        }
    }
}

impl Output {
    /// What [`DirectOutput`] can be had for.
    pub(crate) fn direct(&self) -> Option<DirectOutput> {
        match self {
            Output::Socket(output) => Some(output.clone()),
            Output::Tls(_) | Output::Memory(_) => None,
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Output::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
            Output::Socket(output) => output.poll_write(cx, bytes),
            Output::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Lets go of what the stream itself holds back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Output::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Output::Memory(_) | Output::Socket(_) => Poll::Ready(Ok(())),
        }
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Output::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
            Output::Socket(output) => Poll::Ready(output.shutdown(Shutdown::Write)),
            Output::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_local_socket_takes_as_much_as_the_system_allows() {
        let (plain, ours) = (tokio::net::UnixStream::pair().unwrap(), tokio::net::UnixStream::pair().unwrap());
        let most = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap();
        // The kernel counts twice what was wanted.
        let expected = 2 * LOCAL_SEND_BUFFER.min(most.trim().parse().unwrap());
        let usual = SockRef::from(&plain.0).send_buffer_size().unwrap();
        let (_input, output) = local(ours.0);
        let Output::Socket(DirectOutput::Local(stream)) = output else { panic!("it is a local socket") };
        assert_eq!(SockRef::from(stream.as_ref()).send_buffer_size().unwrap(), expected.max(usual));
    }
}
