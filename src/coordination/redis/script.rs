//! The table of Lua scripts: which pieces each is joined from.

use crate::ids::ServerId;
use once_cell::sync::Lazy;
use redis::{Cmd, Script};

/// One operation as a script.
pub(super) struct Lua {
    /// The operation's name, for errors.
    pub name: &'static str,
    source: &'static str,
    /// The SHA1 of the source, and whether the script asks for the time.
    facts: Lazy<(String, bool)>,
}

macro_rules! scripts {
    ($($constant:ident = $name:literal: $($piece:literal)*;)*) => {
        $(pub(crate) static $constant: Lua = {
            const SOURCE: &str = concat!(
                include_str!("../lua/prelude.lua"),
                include_str!("../lua/guard.lua"),
                $(include_str!(concat!("../lua/", $piece, ".lua")),)*
                include_str!(concat!("../lua/", $name, ".lua"))
            );
            Lua {
                name: $name,
                source: SOURCE,
                facts: Lazy::new(|| (Script::new(SOURCE).get_hash().to_owned(), SOURCE.contains("-- clock: "))),
            }
        };)*
    };
}

scripts! {
    SECRET = "secret":;
    REGISTER = "register": "clock" "record" "load" "roll" "healing" "heal" "member";
    ANNOUNCE = "announce": "clock" "record" "load" "roll" "epoch" "healing" "heal" "member";
    RESTORE = "restore": "clock" "record" "load" "healing" "progress" "epoch" "history" "entry" "timers";
    SETTLE = "settle": "room" "healing";
    RENEW = "renew": "clock" "room" "healing";
    UPDATE = "update": "clock" "room" "record" "load" "roll";
    LOOK = "look": "clock" "record" "load" "roll" "healing" "cut" "history" "due";
    FIND_MEMBER = "find_member": "clock" "record" "load" "healing" "cut";
    SCAN = "scan": "clock" "record" "load" "healing" "cut" "history" "due";
    PLACE = "place": "clock" "record" "load" "healing" "choose" "epoch" "entry" "head" "history" "timers";
    ACTIVATE = "activate": "room" "healing" "entry";
    CONFIRM = "confirm": "room" "entry";
    RELEASE = "release": "clock" "room" "record" "load" "entry" "sound" "history" "due" "trial" "asleep" "timers" "salvage";
    SLEEP = "sleep": "clock" "room" "record" "load" "healing" "entry" "history" "asleep" "timers";
    RING = "ring": "clock" "room" "record" "healing" "entry" "history" "due" "timers";
    WITHDRAW = "withdraw": "clock" "room" "record" "load" "entry" "sound" "history" "due" "trial" "asleep" "timers" "salvage";
    SET_LOAD = "set_load": "room" "record" "load" "entry";
    BROKERS = "brokers": "clock" "record" "load";
    DESCRIBE = "describe": "entry";
    LOCATE = "locate": "record" "healing" "entry" "history";
    CLAIM = "claim": "clock" "room" "record" "load" "healing" "epoch" "entry" "head" "sound" "history" "due" "trial" "asleep" "timers";
    EVICT = "evict": "clock" "room" "record" "load" "roll" "healing" "cut" "entry" "sound" "dismiss" "history" "due" "trial" "asleep" "timers" "salvage";
    LEAVE = "leave": "clock" "room" "record" "load" "roll" "healing" "entry" "sound" "dismiss" "history" "due" "trial" "asleep" "timers" "salvage";
    PARDON = "pardon": "clock" "room" "record" "entry" "history" "due";
    COMMIT = "commit": "healing" "entry" "data";
    ERASE = "erase": "clock" "room" "record" "healing" "history" "entry" "timers";
    COMPLAIN = "complain":;
    OWNED = "owned": "clock" "room" "healing" "progress" "entry" "sound";
    RESTART = "restart":;
    REPAIR = "repair": "record" "load";
}

/// Keys and arguments of one run, without what every script gets.
#[derive(Default)]
pub(super) struct Arguments {
    pub keys: Vec<String>,
    pub values: Vec<String>,
}

impl Arguments {
    /// From values alone.
    pub(super) fn of<const N: usize>(values: [String; N]) -> Self {
        Self { keys: Vec::new(), values: values.into() }
    }
    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }
}

impl Lua {
    /// Whether it needs a clock.
    pub(super) fn is_timed(&self) -> bool {
        self.facts.1
    }

    /// EVALSHA, or EVAL with the whole text where the server does not know the script.
    pub(super) fn command(
        &self,
        by_hash: bool,
        shared: &Arguments,
        clock: &str,
        server: &ServerId,
        arguments: &Arguments,
    ) -> Cmd {
        let mut command = if by_hash { redis::cmd("EVALSHA") } else { redis::cmd("EVAL") };
        command.arg(if by_hash { self.facts.0.as_str() } else { self.source });
        command.arg(shared.keys.len() + arguments.keys.len());
        command.arg(&shared.keys).arg(&arguments.keys);
        // The prelude's order: prefix, clock, channel, server.
        command.arg(&shared.values[0]).arg(clock).arg(&shared.values[1]).arg(server.as_str());
        command.arg(&arguments.values);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_its_header_and_no_word_that_old_servers_refuse() {
        for lua in [
            &SECRET,
            &REGISTER,
            &ANNOUNCE,
            &RESTORE,
            &SETTLE,
            &RENEW,
            &UPDATE,
            &LOOK,
            &FIND_MEMBER,
            &SCAN,
            &PLACE,
            &ACTIVATE,
            &CONFIRM,
            &RELEASE,
            &SLEEP,
            &RING,
            &WITHDRAW,
            &SET_LOAD,
            &BROKERS,
            &DESCRIBE,
            &LOCATE,
            &CLAIM,
            &EVICT,
            &LEAVE,
            &PARDON,
            &COMMIT,
            &ERASE,
            &OWNED,
            &RESTART,
            &REPAIR,
        ] {
            assert!(lua.source.contains(&format!("-- {}: ", lua.name)), "{}", lua.name);
            assert!(lua.source.contains("-- Replies: ") && lua.source.contains("-- Cost: "), "{}", lua.name);
            let makes_room = lua.source.contains("-- room: ");
            let adds = !["look", "find_member", "scan", "brokers", "describe", "locate", "owned", "repair"]
                .contains(&lua.name);
            assert_eq!(lua.source.contains("-- Full memory: works"), makes_room || !adds, "{}", lua.name);
            for word in ["cjson", "SRANDMEMBER", "SCAN'", "NUMSUB", "UNLINK"] {
                assert!(!lua.source.contains(word), "{} names {word}", lua.name);
            }
            assert_eq!(lua.facts.0.len(), 40);
            let asks =
                lua.source.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "now" || word == "valid");
            assert_eq!(lua.is_timed(), asks, "{}", lua.name);
        }
    }
}
