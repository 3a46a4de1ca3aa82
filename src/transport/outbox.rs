//! What waits to be written to one peer: bounded, in order, one writer at a time.
//!
//! Frames lie in segments. Whoever writes takes the first segment out, writes it without the lock, and puts back what
//! is left; others append to the last segment meanwhile. A thread writes as long as the socket takes everything; then
//! the connection's task writes until nothing is left.

use super::lock;
use super::outcome::SendError;
use super::stream::{DirectOutput, Output};
use crate::wire::codec::{self, Decoder, TooLarge};
use crate::wire::message::Message;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Mutex;
use std::task::{ready, Context, Poll, Waker};

/// A segment takes frames until it holds so much: one write of a socket.
const SEGMENT_BYTES: usize = 64 * 1024;
/// An emptied segment is kept for the next frames unless it grew beyond this for a large one.
const KEPT_BYTES: usize = 2 * SEGMENT_BYTES;
/// Segments that one `flush` writes itself: beyond, the caller's thread has better things to do.
const SEGMENTS_PER_FLUSH: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    Nobody,
    /// In `flush`: the first segment may be out.
    Thread,
    Task,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Only answers to what was on its way.
    Leaving,
    /// Nothing more, and the stream ends when all is written.
    Ending,
    /// The stream is gone.
    Broken,
}

struct State {
    segments: VecDeque<BytesMut>,
    /// Bytes of the first segment that the socket has.
    written: usize,
    /// Bytes that the socket has not.
    queued: usize,
    spare: BytesMut,
    writer: Writer,
    phase: Phase,
    direct: Option<DirectOutput>,
    task: Option<Waker>,
}

pub(super) struct Outbox {
    state: Mutex<State>,
    limit: usize,
    max_frame: usize,
}

impl Outbox {
    pub(crate) fn new(limit: usize, max_frame: usize, direct: Option<DirectOutput>) -> Self {
        let state = State {
            segments: VecDeque::new(),
            written: 0,
            queued: 0,
            spare: BytesMut::new(),
            writer: Writer::Nobody,
            phase: Phase::Open,
            direct,
            task: None,
        };
        Self { state: Mutex::new(state), limit, max_frame }
    }

    pub(crate) fn max_frame(&self) -> usize {
        self.max_frame
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).phase == Phase::Open
    }

    pub(crate) fn queued(&self) -> usize {
        lock(&self.state).queued
    }

    /// Appends what `encode` writes: one frame.
    pub(crate) fn send(&self, encode: impl FnOnce(&mut BytesMut) -> Result<(), TooLarge>) -> Result<(), SendError> {
        let mut state = lock(&self.state);
        if state.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        state.append(self.limit, self.max_frame, encode)
    }

    /// [`Outbox::send`] of an answer, which is also taken after [`Outbox::leave`]: what it answers may have arrived before, or
    /// between the goodbye and the peer's notice of it.
    pub(crate) fn send_answer(
        &self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), TooLarge>,
    ) -> Result<(), SendError> {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Open | Phase::Leaving) {
            return Err(SendError::Closed);
        }
        state.append(self.limit, self.max_frame, encode)?;
        if state.phase == Phase::Leaving {
            let waker = state.hand_over();
            drop(state);
            wake(waker);
        }
        Ok(())
    }

    /// Appends an answer to what arrived after [`Outbox::leave`]; lost where there is no room for it.
    pub(crate) fn answer(&self, message: &Message) {
        let _ = self.send_answer(|out| codec::encode(message, self.max_frame, out));
    }

    /// Writes what the socket takes at once, here; the task gets the rest.
    pub(crate) fn flush(&self) {
        let mut state = lock(&self.state);
        if state.writer != Writer::Nobody || state.queued == 0 {
            return;
        }
        let mut complete = false;
        if let Some(direct) = state.direct.clone() {
            state.writer = Writer::Thread;
            for _ in 0..SEGMENTS_PER_FLUSH {
                let Some((segment, from)) = state.take() else { break };
                drop(state);
                // An error is left to the task, which meets it again.
                let written = direct.try_write(&segment[from..]).unwrap_or(0);
                state = lock(&self.state);
                if !state.put_back(segment, written) {
                    break;
                }
            }
            state.writer = Writer::Nobody;
            complete = state.queued == 0 && state.phase == Phase::Open;
        }
        if !complete {
            let waker = state.hand_over();
            drop(state);
            wake(waker);
        }
    }

    /// No more from here on, but for `farewell` and answers. `won` runs before anybody can see that; not where somebody
    /// was faster.
    pub(crate) fn leave(&self, farewell: &Message, won: impl FnOnce()) {
        self.leave_if(farewell, |_| true, won);
    }

    /// [`Outbox::leave`] if nothing waits.
    pub(crate) fn leave_if_empty(&self, farewell: &Message, won: impl FnOnce()) {
        self.leave_if(farewell, |state| state.queued == 0, won);
    }

    fn leave_if(&self, farewell: &Message, condition: impl FnOnce(&State) -> bool, won: impl FnOnce()) {
        let mut state = lock(&self.state);
        if state.phase != Phase::Open || !condition(&state) {
            return;
        }
        state.phase = Phase::Leaving;
        // A farewell is short: it may go over the limit, and where frames are shorter still, it is left out.
        let _ = state.append(usize::MAX, self.max_frame, |out| codec::encode(farewell, self.max_frame, out));
        won();
        let waker = state.hand_over();
        drop(state);
        wake(waker);
    }

    /// Nothing more at all: the stream ends once everything is written.
    pub(crate) fn end(&self) {
        self.advance(Phase::Ending);
    }

    /// The stream is gone: what waits stays for [`Outbox::finish`].
    pub(crate) fn break_off(&self) {
        self.advance(Phase::Broken);
    }

    /// The socket is served elsewhere from now on, unless it was cut.
    pub(crate) fn redirect(&self, to: DirectOutput) {
        if let Some(direct) = &mut lock(&self.state).direct {
            *direct = to;
        }
    }

    /// Ends both directions of the socket.
    pub(crate) fn cut(&self) {
        self.advance(Phase::Broken);
        if let Some(direct) = lock(&self.state).direct.take() {
            direct.cut();
        }
    }

    fn advance(&self, phase: Phase) {
        let mut state = lock(&self.state);
        if (state.phase as u8) < phase as u8 {
            state.phase = phase;
        }
        let waker = state.hand_over();
        drop(state);
        wake(waker);
    }

    /// The task's part: writes whatever a flush leaves over, until the stream ends or fails.
    pub(crate) async fn drive(&self, output: &mut Output) -> io::Result<()> {
        poll_fn(|cx| self.poll_drive(output, cx)).await
    }

    fn poll_drive(&self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut state = lock(&self.state);
            state.wait(cx);
            if state.writer != Writer::Task {
                return Poll::Pending;
            }
            if state.phase == Phase::Broken {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let Some((segment, from)) = state.take() else {
                if state.phase == Phase::Ending {
                    drop(state);
                    return output.poll_shutdown(cx);
                }
                drop(state);
                ready!(output.poll_flush(cx))?;
                let mut state = lock(&self.state);
                // More may have come meanwhile.
                if state.queued > 0 || state.phase != Phase::Open && state.phase != Phase::Leaving {
                    continue;
                }
                state.writer = Writer::Nobody;
                return Poll::Pending;
            };
            drop(state);
            let result = output.poll_write(cx, &segment[from..]);
            let written = match &result {
                Poll::Ready(Ok(written)) => *written,
                _ => 0,
            };
            lock(&self.state).put_back(segment, written);
            if ready!(result)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
    }

    /// After the end: what was accepted and of which the socket has no byte.
    pub(crate) async fn finish(&self) -> Vec<Message> {
        let left = poll_fn(|cx| {
            let mut state = lock(&self.state);
            state.phase = Phase::Broken;
            state.direct = None;
            state.wait(cx);
            if state.writer == Writer::Thread {
                return Poll::Pending;
            }
            state.queued = 0;
            Poll::Ready((std::mem::take(&mut state.segments), std::mem::take(&mut state.written)))
        });
        let (segments, written) = left.await;
        unsent(segments, written)
    }
}

impl State {
    fn append(
        &mut self,
        limit: usize,
        max_frame: usize,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), TooLarge>,
    ) -> Result<(), SendError> {
        if self.queued >= limit {
            return Err(SendError::Overloaded);
        }
        if self.segments.back().is_none_or(|segment| segment.len() >= SEGMENT_BYTES) {
            self.segments.push_back(std::mem::take(&mut self.spare));
        }
        let Some(segment) = self.segments.back_mut() else { return Err(SendError::Overloaded) };
        let mut frame = Frame { start: segment.len(), segment, keep: false };
        encode(frame.segment)?;
        let added = frame.segment.len() - frame.start;
        // A frame's own length does not count against the limit of frames.
        let length = added.saturating_sub(4);
        if length > max_frame {
            return Err(SendError::TooLarge { length, max: max_frame });
        }
        // One frame always fits: a limit below the longest frame must not refuse it for ever.
        if self.queued > 0 && self.queued + added > limit {
            return Err(SendError::Overloaded);
        }
        frame.keep = true;
        drop(frame);
        self.queued += added;
        Ok(())
    }

    /// The first segment that has something to write, and from where on.
    fn take(&mut self) -> Option<(BytesMut, usize)> {
        if self.queued == 0 {
            return None;
        }
        self.segments.pop_front().map(|segment| (segment, self.written))
    }

    /// Gives back what [`State::take`] gave. True: all of it is written.
    fn put_back(&mut self, mut segment: BytesMut, written: usize) -> bool {
        self.queued -= written;
        self.written += written;
        if self.written < segment.len() {
            self.segments.push_front(segment);
            return false;
        }
        self.written = 0;
        segment.clear();
        if segment.capacity() <= KEPT_BYTES {
            self.spare = segment;
        }
        true
    }

    /// Makes the task the next writer, unless a thread writes just now and will do so itself.
    fn hand_over(&mut self) -> Option<Waker> {
        if self.writer == Writer::Thread {
            return None;
        }
        self.writer = Writer::Task;
        self.task.take()
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        match &mut self.task {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A frame that is being appended; taken off again unless it is kept, also when its encoder panics.
struct Frame<'a> {
    segment: &'a mut BytesMut,
    start: usize,
    keep: bool,
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        if !self.keep {
            self.segment.truncate(self.start);
        }
    }
}

fn unsent(segments: VecDeque<BytesMut>, written: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut decoder = Decoder::new(u32::MAX as usize);
    let mut written = written;
    for mut segment in segments {
        skip_begun(&mut segment, std::mem::take(&mut written));
        while let Ok(Some(message)) = decoder.next(&mut segment) {
            messages.push(message);
        }
    }
    messages
}

/// Drops every frame of which at least one byte is among the first `written`.
fn skip_begun(segment: &mut BytesMut, written: usize) {
    let mut begun = 0;
    while begun < written {
        let Some(length) = segment[begun..].first_chunk().map(|bytes: &[u8; 4]| u32::from_be_bytes(*bytes)) else {
            break;
        };
        begun += 4 + length as usize;
    }
    segment.advance(begun.min(segment.len()));
}
