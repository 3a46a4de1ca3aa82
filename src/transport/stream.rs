//! The two kinds of byte streams that connections run on.

use super::config::KEEPALIVE;
use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWrite, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::TcpStream;

pub(super) enum Input {
    Tcp(OwnedReadHalf),
    Memory(ReadHalf<DuplexStream>),
}

/// The writing side of a socket, which any thread may use.
#[derive(Clone)]
pub(super) struct DirectOutput(Arc<OwnedWriteHalf>);

pub(super) enum Output {
    Tcp(DirectOutput),
    Memory(WriteHalf<DuplexStream>),
}

/// Both sides of a socket, set up for small frames that must not wait.
pub(super) fn tcp(stream: TcpStream) -> io::Result<(Input, Output)> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    let (read, write) = stream.into_split();
    Ok((Input::Tcp(read), Output::Tcp(DirectOutput(Arc::new(write)))))
}

pub(super) fn memory(stream: DuplexStream) -> (Input, Output) {
    let (read, write) = tokio::io::split(stream);
    (Input::Memory(read), Output::Memory(write))
}

impl Input {
    /// Reads into the room behind what `buffer` holds; 0 at the end. Cancel safe.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Input::Tcp(stream) => stream.read_buf(buffer).await,
            Input::Memory(stream) => stream.read_buf(buffer).await,
        }
    }
}

impl DirectOutput {
    /// One attempt without waiting, from any thread.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// Ends both directions at once, whoever else holds the socket.
    pub fn cut(&self) {
        // Fails only where the peer was faster.
        let _ = SockRef::from(self.0.as_ref().as_ref()).shutdown(Shutdown::Both);
    }
}

impl Output {
    /// What [`DirectOutput`] can be had for.
    pub fn direct(&self) -> Option<DirectOutput> {
        match self {
            Output::Tcp(output) => Some(output.clone()),
            Output::Memory(_) => None,
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Output::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
            Output::Tcp(output) => loop {
                let socket: &TcpStream = output.0.as_ref().as_ref();
                ready!(socket.poll_write_ready(cx))?;
                match output.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    result => return Poll::Ready(result),
                }
            },
        }
    }

    /// Tells the peer that nothing more comes.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Output::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
            Output::Tcp(output) => Poll::Ready(SockRef::from(output.0.as_ref().as_ref()).shutdown(Shutdown::Write)),
        }
    }

    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }
}
