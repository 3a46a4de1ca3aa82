//! A private Redis or Valkey server of a test: how it is started, stopped, frozen and asked.
//!
//! The program is `DWORKER_TEST_SERVER`, else `redis-server` on the path. Data and log stand in a directory of its own.
#![allow(dead_code, clippy::unwrap_used)]

use dworker::config::RedisConfig;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Killed when dropped.
pub struct RedisServer {
    pub port: u16,
    pub directory: PathBuf,
    arguments: Vec<String>,
    password: Option<String>,
    child: Option<Child>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With more arguments, as on its command line.
    pub fn with(arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("dworker-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let password =
            arguments.iter().position(|word| *word == "--requirepass").map(|at| arguments[at + 1].to_owned());
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { port: free_port(), directory, arguments, password, child: None };
        let end = Instant::now() + PATIENCE;
        while !server.attempt(end) {
            server.port = free_port();
        }
        server
    }

    /// The Unix socket that every server here has beside its port.
    pub fn socket(&self) -> String {
        self.directory.join("redis.sock").to_string_lossy().into_owned()
    }

    pub fn config(&self) -> RedisConfig {
        RedisConfig {
            host: "127.0.0.1".into(),
            port: self.port,
            path: None,
            username: None,
            password: self.password.clone(),
            db: 0,
            tls: None,
            sentinel: None,
            nodes: Vec::new(),
        }
    }

    /// Starts it (again) on the same port, in the same directory.
    pub fn run(&mut self) {
        self.run_with(&[]);
    }

    /// As `run`, with more arguments from now on.
    pub fn run_with(&mut self, arguments: &[&str]) {
        self.arguments.extend(arguments.iter().map(|word| (*word).to_owned()));
        let end = Instant::now() + PATIENCE;
        while !self.attempt(end) {
            assert!(Instant::now() < end, "the server does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `false` when it ended at once, as it does when somebody else has taken the port.
    fn attempt(&mut self, end: Instant) -> bool {
        let program = std::env::var("DWORKER_TEST_SERVER").unwrap_or_else(|_| "redis-server".into());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut command = Command::new(&program);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--unixsocket", &self.socket(), "--dir", &self.directory.to_string_lossy()]);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let pid = format!("process_id:{}\r", child.id());
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            // Another test's server may answer on a port that two have drawn: only ours says our process id.
            if self.try_ask(&["INFO", "server"]).is_ok_and(|info| info.contains(&pid)) {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < end, "{program} does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Another process on the same data.
    pub fn restart_with_its_data(&mut self) {
        assert_eq!(self.ask(&["SAVE"]), "+OK\r\n");
        self.kill();
        self.run();
    }

    /// Keeps what is there now, for [`RedisServer::roll_back`].
    pub fn snapshot(&self) {
        assert_eq!(self.ask(&["SAVE"]), "+OK\r\n");
        std::fs::copy(self.directory.join("dump.rdb"), self.directory.join("snapshot.rdb")).unwrap();
    }

    /// Another process on the data of the last snapshot.
    pub fn roll_back(&mut self) {
        self.kill();
        std::fs::copy(self.directory.join("snapshot.rdb"), self.directory.join("dump.rdb")).unwrap();
        self.run();
    }

    /// Stops the process with SIGSTOP: the kernel still accepts connections for it.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let pid = self.child.as_ref().unwrap().id() as i32;
        // SAFETY: the process is our child and not yet waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// A command in raw words; the answer as it came over the wire.
    pub fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).unwrap()
    }

    /// The same where the server may be cutting connections, as at a promotion.
    pub fn try_ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        if let Some(password) = &self.password {
            exchange(&mut stream, &["AUTH", password])?;
        }
        exchange(&mut stream, words)
    }

    /// Major version of the server.
    pub fn major(&self) -> u32 {
        let info = self.ask(&["INFO", "server"]);
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap();
        version.split('.').next().unwrap().parse().unwrap()
    }

    /// Closes the connections of all clients of this kind: `normal` or `pubsub`; how many.
    pub fn kill_clients(&self, pubsub: bool) -> usize {
        let list = self.ask(&["CLIENT", "LIST"]);
        let mut killed = 0;
        for line in list.lines().filter(|line| line.contains("addr=") && !line.contains("cmd=client")) {
            if line.contains(" sub=0 ") == pubsub {
                continue;
            }
            let address = line.split("addr=").nth(1).unwrap().split(' ').next().unwrap();
            // Before Redis 2.8.12 and after: the one-argument form is in all of them.
            if self.ask(&["CLIENT", "KILL", address]).starts_with("+OK") {
                killed += 1;
            }
        }
        killed
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn exchange(stream: &mut TcpStream, words: &[&str]) -> io::Result<String> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0u8; 65536];
    while !complete(&answer) {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn complete(answer: &[u8]) -> bool {
    redis::parse_redis_value(answer).is_ok()
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
