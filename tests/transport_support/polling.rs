//! An event loop on a thread of its own, as Node's is for the addon: `poll(2)` and a pipe that wakes it.

use dworker::transport::{Ready, Session, SocketLoop};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use tokio::runtime::Handle;

#[derive(Default)]
struct Mail {
    arrived: Vec<Session>,
    woken: Vec<usize>,
}

struct Remote {
    mail: Mutex<Mail>,
    bell: UnixStream,
}

impl Remote {
    fn leave(&self, leave: impl FnOnce(&mut Mail)) {
        leave(&mut self.mail.lock().unwrap());
        (&self.bell).write_all(&[1]).unwrap();
    }
}

impl SocketLoop for Remote {
    fn run(&self, session: Session) {
        self.leave(|mail| mail.arrived.push(session));
    }
}

struct SessionWaker(usize, Arc<Remote>);

impl Wake for SessionWaker {
    fn wake(self: Arc<Self>) {
        self.1.leave(|mail| mail.woken.push(self.0));
    }
}

struct Running {
    session: Session,
    waker: Waker,
    waits: Ready,
}

impl Running {
    /// False: it is done.
    fn step(&mut self, ready: Ready) -> bool {
        let (session, waker) = (&mut self.session, &self.waker);
        let stepped = session.take_in(ready).or_else(|| session.step(&mut Context::from_waker(waker)));
        stepped.map(|waits| self.waits = waits).is_some()
    }
}

/// Goes on until the process ends, as few as there are.
pub fn start() -> Arc<dyn SocketLoop> {
    let (bell, rung) = UnixStream::pair().unwrap();
    let remote = Arc::new(Remote { mail: Mutex::default(), bell });
    let (owned, runtime) = (remote.clone(), Handle::current());
    std::thread::spawn(move || {
        let _runtime = runtime.enter();
        turn(&owned, rung);
    });
    remote
}

fn turn(remote: &Arc<Remote>, mut rung: UnixStream) {
    let mut sessions: HashMap<usize, Running> = HashMap::new();
    let mut last = 0;
    loop {
        let mut looked_at = vec![libc::pollfd { fd: rung.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        let ids: Vec<usize> = sessions.keys().copied().collect();
        looked_at.extend(sessions.values().map(|running| {
            let readable = if running.waits.contains(Ready::READABLE) { libc::POLLIN } else { 0 };
            let writable = if running.waits.contains(Ready::WRITABLE) { libc::POLLOUT } else { 0 };
            libc::pollfd { fd: running.session.socket().descriptor().unwrap(), events: readable | writable, revents: 0 }
        }));
        // A socket that nobody waits for is not looked at: its end would be told again and again.
        looked_at.iter_mut().filter(|one| one.events == 0).for_each(|one| one.fd = -1);
        // SAFETY: the array is alive, and as long as is said.
        assert!(unsafe { libc::poll(looked_at.as_mut_ptr(), looked_at.len() as libc::nfds_t, -1) } > 0);
        let mut steps = Vec::new();
        for (id, one) in ids.into_iter().zip(&looked_at[1..]) {
            let told = match one.revents {
                0 => continue,
                events if events & !(libc::POLLIN | libc::POLLOUT) != 0 => Ready::BOTH,
                events if events & libc::POLLIN == 0 => Ready::WRITABLE,
                events if events & libc::POLLOUT == 0 => Ready::READABLE,
                _ => Ready::BOTH,
            };
            steps.push((id, told));
        }
        if looked_at[0].revents != 0 {
            let _ = rung.read(&mut [0; 1024]).unwrap();
            let mail = std::mem::take(&mut *remote.mail.lock().unwrap());
            for session in mail.arrived {
                last += 1;
                let waker = Waker::from(Arc::new(SessionWaker(last, remote.clone())));
                sessions.insert(last, Running { session, waker, waits: Ready::NONE });
                steps.push((last, Ready::NONE));
            }
            steps.extend(mail.woken.into_iter().map(|id| (id, Ready::NONE)));
        }
        for (id, ready) in steps {
            if sessions.get_mut(&id).is_some_and(|running| !running.step(ready)) {
                sessions.remove(&id);
            }
        }
    }
}
