//! A master, a replica and their sentinels, as a test needs them for a failover.
#![allow(dead_code, clippy::unwrap_used)]

use super::redis_server::{exchange, free_port, RedisServer, PATIENCE};
use dworker::config::{NodeConfig, RedisConfig, SentinelConfig};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const NAME: &str = "mymaster";

/// One sentinel. Killed when dropped.
pub struct Sentinel {
    pub port: u16,
    directory: PathBuf,
    child: Child,
}

impl Sentinel {
    /// Takes a master for down after a second.
    fn start(master: u16, quorum: usize, more: &str) -> Self {
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("dworker-test-{}-sentinel-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nlogfile {}/log\nsentinel monitor {NAME} 127.0.0.1 {master} {quorum}\n\
             sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 5000\n{more}\n",
            directory.display(),
            directory.display()
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { port, directory, child: command.spawn().unwrap() }
    }

    pub fn ask(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut stream, words).unwrap()
    }

    /// What SENTINEL master says of this field.
    fn field(&self, name: &str) -> Option<String> {
        TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let answer = self.ask(&["SENTINEL", "master", NAME]);
        let mut lines = answer.lines();
        lines.find(|line| *line == name)?;
        lines.nth(1).map(str::to_owned)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// One system of them. The replica is ready to take over.
pub struct Watched {
    pub master: RedisServer,
    pub replica: RedisServer,
    pub sentinels: Vec<Sentinel>,
}

impl Watched {
    pub fn start(sentinels: usize) -> Self {
        Self::with(sentinels, "")
    }

    /// With more lines in the configuration of the sentinels.
    pub fn with(sentinels: usize, more: &str) -> Self {
        // Otherwise a replica is made to wait for others.
        let master = RedisServer::with(&["--repl-diskless-sync-delay", "0"]);
        let replica = RedisServer::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
        wait("the replica is attached", || master.ask(&["INFO", "replication"]).contains("state=online"));
        let quorum = sentinels / 2 + 1;
        let sentinels: Vec<_> = (0..sentinels).map(|_| Sentinel::start(master.port, quorum, more)).collect();
        let watched = Self { master, replica, sentinels };
        let others = (watched.sentinels.len() - 1).to_string();
        wait("the sentinels listen", || {
            watched.sentinels.iter().all(|sentinel| TcpStream::connect(("127.0.0.1", sentinel.port)).is_ok())
        });
        if !more.contains("requirepass") {
            wait("the sentinels know everybody", || {
                watched.sentinels.iter().all(|sentinel| {
                    sentinel.field("num-slaves").as_deref() == Some("1")
                        && sentinel.field("num-other-sentinels").as_deref() == Some(&others)
                })
            });
        }
        watched
    }

    pub fn config(&self) -> RedisConfig {
        let nodes =
            self.sentinels.iter().map(|each| NodeConfig { host: "127.0.0.1".into(), port: each.port }).collect();
        let sentinel = SentinelConfig { name: NAME.into(), nodes, username: None, password: None, tls: None };
        RedisConfig { sentinel: Some(sentinel), port: 1, ..self.master.config() }
    }
}

fn wait(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
