//! What a failed exchange with Redis means: who did not answer, who refused what, and what to do then.

use super::socket::Place;
use crate::coordination::CoordinationError;
use redis::{ErrorKind, RedisError};

/// What to do about an answer that is an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same again shortly: nothing was done, and it passes.
    Again,
    /// This server is no master: dial again, and the same there.
    NoMaster,
    /// Another node of the cluster has our keys: there.
    Moved(Place),
    /// It would be refused again.
    Refused,
}

/// `here` is who answered: a cluster that knows no name for a node leaves out its host.
pub(super) fn judge(error: &RedisError, here: &Place) -> Verdict {
    match reason(error) {
        "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "ASK" | "NOREPLICAS" => Verdict::Again,
        "READONLY" => Verdict::NoMaster,
        "MOVED" => {
            error.redirect_node().and_then(|(node, _)| place_of(node, here)).map_or(Verdict::Refused, Verdict::Moved)
        }
        _ => Verdict::Refused,
    }
}

fn place_of(node: &str, here: &Place) -> Option<Place> {
    let (host, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match (host, here) {
        ("" | "?", Place::Tcp { host, .. }) => Some(Place::tcp(host, port)),
        ("" | "?", Place::Unix(_)) => None,
        (host, _) => Some(Place::tcp(host.trim_matches(['[', ']']), port)),
    }
}

/// The word that an error of the server begins with. Before Redis 7 a command that fails inside a script is an `ERR`
/// that holds the command's own error.
pub(super) fn reason(error: &RedisError) -> &str {
    let code = error.code().unwrap_or("");
    let within = || error.detail()?.split_once(" -")?.1.split([' ', ':']).next();
    let is_word = |word: &&str| word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if code == "ERR" {
        within().filter(is_word).unwrap_or(code)
    } else {
        code
    }
}

/// The server's own words, where it is the server's error.
pub(super) fn text_of(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}

/// What the words do not say.
fn advice(error: &RedisError) -> &'static str {
    match reason(error) {
        "NOAUTH" => " (it wants a password: redis.password)",
        "WRONGPASS" => " (redis.username and redis.password)",
        "NOPERM" => " (the user's ACL lacks a right; docs/reference/redis.md lists those that are needed)",
        "READONLY" => " (it is a replica)",
        "OOM" => " (its memory is full: maxmemory)",
        "NOREPLICAS" => " (min-replicas-to-write is not met)",
        _ => "",
    }
}

/// An error of the redis crate as one of ours. `place` is where Redis is, `what` was asked.
pub(super) fn translate(place: &dyn std::fmt::Display, what: &str, error: &RedisError) -> CoordinationError {
    let text = format!("Redis at {place}: {what} failed: {}{}", text_of(error), advice(error));
    let passes = matches!(
        reason(error),
        "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "ASK" | "NOREPLICAS" | "READONLY" | "MOVED"
    );
    if passes || is_broken(error) || text.contains("max number of clients") {
        CoordinationError::Unavailable(text)
    } else {
        CoordinationError::Refused(text)
    }
}

/// Whether the connection is of no use any more.
pub(super) fn is_broken(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse)
}

/// Nothing came in time.
pub(super) fn late(place: &dyn std::fmt::Display, what: &str, deadline: std::time::Duration) -> CoordinationError {
    CoordinationError::Unavailable(format!("Redis at {place}: no answer to {what} within {} ms", deadline.as_millis()))
}

/// An answer of another shape than the script writes.
pub(super) fn foreign(place: &dyn std::fmt::Display, what: &str) -> CoordinationError {
    CoordinationError::Refused(format!("Redis at {place}: unexpected answer to {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> RedisError {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap().extract_error().unwrap_err()
    }

    fn here() -> Place {
        Place::tcp("h", 1)
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_refused() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "ASK 1 h:2",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR Error running script (call to f_00): @user_script:1: @user_script: 1: -NOREPLICAS Not enough good slaves to write.",
        ] {
            assert_eq!(judge(&error(line), &here()), Verdict::Again, "{line}");
            assert!(matches!(translate(&here(), "x", &error(line)), CoordinationError::Unavailable(_)), "{line}");
        }
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "NOPERM User u has no permissions to run the 'eval' command",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR unknown command 'EVAL'",
            "ERR value is out of range - VERY far",
        ] {
            assert_eq!(judge(&error(line), &here()), Verdict::Refused, "{line}");
            let told = translate(&here(), "x", &error(line));
            assert!(matches!(&told, CoordinationError::Refused(text) if text.contains(line)), "{told:?}");
        }
    }

    #[test]
    fn a_replica_is_recognised_by_its_answer_within_a_script_too() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "READONLY You can't write against a read only replica. script: 00, on @user_script:1.",
            "ERR Error running script (call to f_00): @user_script:1: @user_script: 1: -READONLY You can't write against a read only slave.",
        ] {
            assert_eq!(judge(&error(line), &here()), Verdict::NoMaster, "{line}");
        }
    }

    #[test]
    fn a_redirect_names_its_node_and_without_host_it_is_the_same_host() {
        assert_eq!(judge(&error("MOVED 3999 127.0.0.1:6381"), &here()), Verdict::Moved(Place::tcp("127.0.0.1", 6381)));
        assert_eq!(judge(&error("MOVED 3999 ::1:6381"), &here()), Verdict::Moved(Place::tcp("::1", 6381)));
        assert_eq!(judge(&error("MOVED 3999 :6381"), &here()), Verdict::Moved(Place::tcp("h", 6381)));
        assert_eq!(judge(&error("MOVED 3999 nowhere"), &here()), Verdict::Refused);
        assert_eq!(judge(&error("MOVED"), &here()), Verdict::Refused);
    }
}
