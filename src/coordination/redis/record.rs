//! How a broker's record is written, so that scripts can test a class exactly and read an address.
//!
//! `cluster:draining:host:port:broker:low:high:ttl:strict:machine:pid:version:,class,class,` with every text escaped.

use super::reply::MAX_NUMBER;
use crate::config::Process;
use crate::coordination::keys::{escape, unescape};
use crate::coordination::BrokerRecord;
use crate::ids::{BrokerId, ClassName, ClusterName, Endpoint, Incarnation};
use std::collections::BTreeSet;
use std::time::Duration;

/// The text of a record; the incarnation stands beside it.
pub(super) fn encode(record: &BrokerRecord) -> String {
    let mut classes = String::from(",");
    for class in &record.classes {
        classes.push_str(&escape(class.as_str()));
        classes.push(',');
    }
    format!(
        "{}:{}:{}:{}:{}:{}:{}:{}:{}:{}:{}:{}:{classes}",
        escape(record.cluster.as_str()),
        u8::from(record.draining),
        escape(&record.address.host),
        record.address.port,
        escape(record.broker.as_str()),
        record.protocol.0,
        record.protocol.1,
        record.lease_ttl.as_millis(),
        u8::from(record.strict),
        escape(&record.process.host),
        record.process.pid,
        escape(&record.process.version),
    )
}

/// `None` when the text is none that [`encode`] writes.
pub(super) fn decode(incarnation: Incarnation, text: &str) -> Option<BrokerRecord> {
    let mut fields = text.split(':');
    let cluster = ClusterName::new(unescape(fields.next()?)?);
    let draining = flag(fields.next()?)?;
    let address = endpoint(fields.next()?, fields.next()?)?;
    let broker = BrokerId::new(unescape(fields.next()?)?);
    let protocol = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let ttl: u64 = fields.next()?.parse().ok()?;
    let lease_ttl = Duration::from_millis(Some(ttl).filter(|ttl| *ttl <= MAX_NUMBER)?);
    let strict = flag(fields.next()?)?;
    let host = unescape(fields.next()?)?;
    let pid = fields.next()?.parse().ok()?;
    let process = Process { host, pid, version: unescape(fields.next()?)? };
    let classes = fields.next()?.strip_prefix(',')?;
    if fields.next().is_some() {
        return None;
    }
    let classes: Option<BTreeSet<ClassName>> =
        classes.split_terminator(',').map(|class| unescape(class).map(ClassName::new)).collect();
    let classes = classes?;
    Some(BrokerRecord {
        incarnation,
        broker,
        cluster,
        address,
        classes,
        protocol,
        lease_ttl,
        strict,
        draining,
        process,
    })
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// An address from its two fields.
pub(super) fn endpoint(host: &str, port: &str) -> Option<Endpoint> {
    Some(Endpoint { host: unescape(host)?, port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(classes: &[&str]) -> BrokerRecord {
        BrokerRecord {
            incarnation: "00ff".into(),
            broker: "br:1,%".into(),
            cluster: "ma:in".into(),
            address: Endpoint { host: "::1".into(), port: 65535 },
            classes: classes.iter().map(ClassName::new).collect(),
            protocol: (1, 2),
            lease_ttl: Duration::from_millis(5000),
            strict: true,
            draining: true,
            process: Process { host: "n:1".into(), pid: 7, version: "1.0.0".into() },
        }
    }

    #[test]
    fn a_record_survives_the_way_there_and_back() {
        for classes in [&[][..], &["Foo"], &["Foo", "x,Foo,y", "a:b", "größe"]] {
            let record = record(classes);
            assert_eq!(decode("00ff".into(), &encode(&record)), Some(record));
        }
    }

    #[test]
    fn a_class_is_found_only_where_it_is_hosted() {
        assert!(encode(&record(&["Foo"])).contains(",Foo,"));
        assert!(!encode(&record(&["Foobar", "x,Foo,y", "aFoo"])).contains(",Foo,"));
    }

    #[test]
    fn foreign_text_is_no_record() {
        for text in [
            "",
            "x",
            "main:2:h:1:b:1:1:9:0:m:7:v:,",
            "main:0:h:70000:b:1:1:9:0:m:7:v:,",
            "main:0:h:1:b:1:1:9:0:m:x:v:,",
            "main:0:h:1:b:1:1:9:0:m:7:v:",
            "main:0:h:1:b:1:1:9:0:m:7:v:,:x",
            "main:0:h:1:b:1:1:9:0:,",
        ] {
            assert_eq!(decode("00ff".into(), text), None, "{text}");
        }
    }
}
