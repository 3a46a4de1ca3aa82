//! Whether a namespace is ours: of this schema version, and not in use by dworker 0.9.

use super::answer;
use super::client::{Client, COMMAND_DEADLINE};
use super::failure::translate;
use crate::coordination::{CoordinationError, CoordinationResult, SCHEMA_VERSION};
use redis::Value;

/// What is asked, for errors.
const CHECK: &str = "the schema check";

/// Refuses a namespace of another version, and one in which brokers of dworker 0.9 are active.
pub(super) async fn check(client: &Client) -> CoordinationResult<()> {
    let mut version = redis::cmd("HGET");
    version.arg(client.keys.meta()).arg("schema");
    let answer = client.command(&version, CHECK).await?;
    let found = client.read(CHECK, answer::version(answer))?;
    if let Some(found) = found.filter(|found| *found != SCHEMA_VERSION.to_string()) {
        return Err(foreign_version(client, &found));
    }
    let mut old = redis::cmd("HGETALL");
    old.arg(client.keys.old_brokers());
    let live = client.commands.live()?;
    match client.commands.send(&live, &old, CHECK, COMMAND_DEADLINE).await? {
        Ok(table) => match active_old_broker(table) {
            Some(name) => Err(old_fleet(client, &name)),
            None => Ok(()),
        },
        // Something else has that name, it is in another node's slot, or we may not read it: dworker 0.9 kept a hash,
        // and knew neither Redis Cluster nor users.
        Err(error) if matches!(error.code(), Some("WRONGTYPE" | "MOVED" | "NOPERM")) => Ok(()),
        Err(error) => Err(translate(live.place(), CHECK, &error)),
    }
}

/// The error for a namespace of another version.
pub(super) fn foreign_version(client: &Client, found: &str) -> CoordinationError {
    CoordinationError::Schema(format!(
        "Redis at {}: Expected {} to have schema version {SCHEMA_VERSION} but found {found:?}. Run the same version of dworker everywhere, or use another \"ns\"",
        client.dialer.place(),
        client.keys.meta()
    ))
}

fn old_fleet(client: &Client, broker: &str) -> CoordinationError {
    CoordinationError::Schema(format!(
        "Redis at {}: {} says that broker {broker:?} of dworker 0.9 is active: stop the old brokers (and delete that key if one crashed), or use another \"ns\"",
        client.dialer.place(),
        client.keys.old_brokers()
    ))
}

/// A broker of dworker 0.9: JSON with `"st": "active"` and an address.
fn active_old_broker(table: Value) -> Option<String> {
    let is_active = |text: &str| {
        let record: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        record.get("st").and_then(|state| state.as_str()) == Some("active") && record.get("addr").is_some()
    };
    answer::table(table)?.into_iter().find(|(_, text)| is_active(text)).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[&str]) -> Value {
        Value::Array(cells.iter().map(|cell| Value::BulkString(cell.as_bytes().to_vec())).collect())
    }

    #[test]
    fn an_active_broker_of_the_old_version_is_found_and_nothing_else() {
        let active = r#"{"cn":"main","st":"active","addr":"127.0.0.1:4000"}"#;
        let left = r#"{"cn":"main","st":"inactive","addr":"127.0.0.1:4000"}"#;
        assert_eq!(active_old_broker(table(&["a", left, "b", active])), Some("b".into()));
        assert_eq!(active_old_broker(table(&["a", left])), None);
        assert_eq!(active_old_broker(table(&["a", "null", "b", "{", "c", "[1]"])), None);
        assert_eq!(active_old_broker(table(&["odd"])), None);
        assert_eq!(active_old_broker(Value::Nil), None);
    }
}
