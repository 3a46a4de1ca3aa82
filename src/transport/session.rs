//! The life of one connection: the handshake, then both directions until the end.

use super::connection::{Connection, Route};
use super::incidents::Incident;
use super::lock;
use super::outcome::{CloseReason, ConnectError};
use super::peers::{NoPlace, Place};
use super::polled::{PolledSocket, Session, SocketLoop};
use super::reader::{Ending, Reader};
use super::shared::Shared;
use super::stream::{DirectOutput, Input, Output};
use super::{local, stream, tls};
use crate::error::Code;
use crate::ids::Incarnation;
use crate::wire::codec::{self, MAX_FRAME_DEFAULT};
use crate::wire::handshake::{
    take_frame, Channel, Handshake, HandshakeError, Nonce, Party, Peer, Role, Step, HANDSHAKE_MAX_FRAME,
};
use crate::wire::message::Message;
use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// Room for a frame with its length.
const HANDSHAKE_BUFFER: usize = HANDSHAKE_MAX_FRAME + 4;

/// A byte stream on which nothing was said yet, or nothing since the handshake.
pub(super) struct Link {
    pub input: Input,
    pub output: Output,
    pub buffer: BytesMut,
    /// What only its two ends know, where it is encrypted.
    channel: Option<Channel>,
    /// The life of a broker that is expected at the other end.
    pub target: Option<Incarnation>,
}

impl Link {
    pub(crate) fn new((input, output): (Input, Output)) -> Self {
        Self { input, output, buffer: BytesMut::with_capacity(HANDSHAKE_BUFFER), channel: None, target: None }
    }

    /// To a process of this host: never encrypted, see [`TransportConfig::local_sockets`](super::TransportConfig).
    pub(crate) fn locally(socket: local::Stream) -> Self {
        Self::new(stream::local(socket))
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self.input, Input::Local(_))
    }

    /// Encrypted where this transport has certificates: then nothing is said in the clear, whatever the peer says.
    pub(crate) async fn over(shared: &Shared, role: Role, socket: TcpStream) -> Result<Self, ShakeError> {
        stream::set_up(&socket)?;
        let Some(tls) = shared.tls() else { return Ok(Self::new(stream::tcp(socket))) };
        let (stream, channel) = tls.wrap(role, socket).await?;
        Ok(Self { channel: Some(channel), ..Self::new(stream::tls(stream)) })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ShakeError {
    #[error(transparent)]
    Refused(#[from] HandshakeError),
    #[error("no place is left for it")]
    Full(NoPlace),
    #[error("the peer does not speak TLS, which is required here")]
    NoTls,
    #[error("no TLS with the peer: {0}")]
    Tls(String),
    /// There is nobody to shake hands with.
    #[error(transparent)]
    Unreached(ConnectError),
    #[error("the connection broke in the handshake: {0}")]
    Broken(io::Error),
}

impl From<io::Error> for ShakeError {
    fn from(error: io::Error) -> Self {
        match tls::refusal(&error) {
            Some(tls::Refusal::NotTls) => ShakeError::NoTls,
            Some(tls::Refusal::Refused(why)) => ShakeError::Tls(why),
            None => ShakeError::Broken(error),
        }
    }
}

impl ShakeError {
    pub(crate) fn incident(&self) -> Incident {
        match self {
            ShakeError::Refused(error) => Incident::from(*error),
            ShakeError::Full(_) => Incident::Full,
            ShakeError::NoTls => Incident::NoTls,
            ShakeError::Tls(_) => Incident::Tls,
            ShakeError::Unreached(_) | ShakeError::Broken(_) => Incident::Broken,
        }
    }
}

/// Both sides' proofs. `place`: what is kept for the connection already. Whoever calls sees to the time that it takes.
pub(super) async fn shake_hands(
    shared: &Arc<Shared>,
    role: Role,
    link: &mut Link,
    place: Option<Place>,
) -> Result<(Peer, Place), ShakeError> {
    let result = exchange(shared, role, link, place).await;
    match &result {
        Err(ShakeError::Refused(error)) => refuse(link, *error).await,
        Err(ShakeError::Full(_)) if role == Role::Responder => refuse(link, HandshakeError::Full).await,
        _ => {}
    }
    result
}

/// Tells the peer why it is not let in. Whether it still hears that does not matter.
pub(super) async fn refuse(link: &mut Link, why: HandshakeError) {
    if let Some(frame) = why.farewell() {
        let _ = link.output.write_all(&frame).await;
    }
}

async fn exchange(
    shared: &Arc<Shared>,
    role: Role,
    link: &mut Link,
    place: Option<Place>,
) -> Result<(Peer, Place), ShakeError> {
    let mut nonce: Nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
    let party = Party { channel: link.channel, target: link.target.clone(), ..shared.party() };
    // Writing failed: the peer has closed, and may have said why before.
    let mut unwritten = None;
    let mut handshake = match role {
        Role::Responder => Handshake::respond(party, nonce)?,
        Role::Initiator => {
            let (handshake, hello) = Handshake::initiate(party, nonce)?;
            unwritten = link.output.write_all(&hello).await.err();
            handshake
        }
    };
    loop {
        while let Some(frame) = take_frame(&mut link.buffer)? {
            match handshake.receive(&frame)? {
                Step::Send(bytes) => unwritten = link.output.write_all(&bytes).await.err().or(unwritten),
                Step::Done { peer, send } => {
                    let incarnation = &peer.identity.incarnation;
                    let place = match place {
                        Some(place) => place.assign(incarnation),
                        None => {
                            shared.config.peers.reserve(Some(incarnation), peer.purpose).map_err(ShakeError::Full)?
                        }
                    };
                    if let Some(bytes) = send {
                        link.output.write_all(&bytes).await?;
                    }
                    return Ok((peer, place));
                }
            }
        }
        // A frame that is not whole is shorter than this: the buffer never grows.
        link.buffer.reserve(HANDSHAKE_BUFFER - link.buffer.len().min(HANDSHAKE_BUFFER));
        match link.input.read(&mut link.buffer).await {
            Ok(1..) => {}
            Ok(0) => return Err(unwritten.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()).into()),
            Err(error) => return Err(unwritten.unwrap_or(error).into()),
        }
    }
}

/// Tells a proven peer why nothing comes of it, so that it does not take us for dead.
pub(super) async fn decline(link: &mut Link, why: &'static str) {
    let mut frame = BytesMut::new();
    let close = Message::Close { code: Code::Unreachable, message: Bytes::from_static(why.as_bytes()) };
    if codec::encode(&close, MAX_FRAME_DEFAULT, &mut frame).is_ok() {
        // A few bytes on a fresh connection: written at once or never.
        let _ = link.output.write_all(&frame).await;
    }
}

/// Registers a proven peer. `None`: the transport is closed.
pub(super) fn enter(shared: &Shared, place: Place, peer: Peer, route: Route, link: &Link) -> Option<Arc<Connection>> {
    let connection = shared.enter(place, peer, route, link.output.direct())?;
    shared.on_open(&connection);
    Some(connection)
}

/// Both directions until the end, and what is to be said about it.
pub(super) async fn run(shared: &Arc<Shared>, connection: Arc<Connection>, link: Link) {
    let reason = converse(shared, &connection, link).await;
    shared.forget(&connection);
    let unsent = connection.outbox.finish().await;
    shared.on_close(&connection, reason, unsent);
}

/// On this task, or on the loop for sockets; not where the peer asks for signs of life, which must come whatever that
/// loop does.
async fn converse(shared: &Arc<Shared>, connection: &Arc<Connection>, link: Link) -> CloseReason {
    let Link { mut input, mut output, buffer, .. } = link;
    let mut reader = Reader::new(shared.clone(), connection.clone(), buffer);
    if let Some(sockets) = shared.sockets.as_ref().filter(|_| !connection.is_control()) {
        // Without a descriptor to be had, it stays here.
        if let Ok(socket) = input.leave_runtime() {
            drop((input, output));
            return move_to(&**sockets, socket, connection, reader).await;
        }
    }
    talk(connection, &mut reader, &mut input, &mut output).await
}

/// Both directions on another loop.
async fn move_to(
    sockets: &dyn SocketLoop,
    socket: Arc<PolledSocket>,
    connection: &Arc<Connection>,
    mut reader: Reader,
) -> CloseReason {
    let direct = DirectOutput::Polled(socket.clone());
    connection.outbox.redirect(direct.clone());
    let (mut input, mut output) = (Input::Polled(socket.clone()), Output::Socket(direct));
    let (end, ended) = oneshot::channel();
    let (owned, intake, readable) = (connection.clone(), reader.intake(), socket.clone());
    let whole = async move {
        let reason = talk(&owned, &mut reader, &mut input, &mut output).await;
        // Nobody waits for it where the transport was aborted.
        let _ = end.send(reason);
    };
    sockets.run(Session::new(socket, move || lock(&intake).take_in(&readable), whole));
    ended.await.unwrap_or_else(|_| {
        connection.outbox.cut();
        CloseReason::Lost("the event loop ended".to_owned())
    })
}

/// Both directions until the end.
async fn talk(
    connection: &Arc<Connection>,
    reader: &mut Reader,
    input: &mut Input,
    output: &mut Output,
) -> CloseReason {
    let mut write = pin!(connection.outbox.drive(output));
    let mut read = pin!(reader.run(input));
    let mut writing = true;
    let Ending { reason, write_until } = loop {
        tokio::select! {
            ending = &mut read => break ending,
            written = &mut write, if writing => {
                writing = false;
                if written.is_err() {
                    connection.break_off();
                }
            }
        }
    };
    if let Some(deadline) = write_until.filter(|_| writing) {
        // What is not written by then is given back.
        let _ = timeout_at(deadline, write).await;
    }
    reason
}
