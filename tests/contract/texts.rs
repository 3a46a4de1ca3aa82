//! Whatever the application names or attaches comes back as it was.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::*;

/// Names that a careless key, pattern or parser takes for something else.
fn names() -> Vec<String> {
    let odd = [
        "a:b",
        "a:",
        ":a",
        "{a}",
        "a}b{c",
        "}{",
        "with space",
        " ",
        "*",
        "a*b?[c]",
        "%d",
        "%",
        "%3A",
        ".*",
        "a.b",
        "a,b",
        ",",
        "a|b",
        "-1",
        "0",
        "nil",
        "false",
        "größe",
        "漢字",
        "👩‍🚀",
        "\u{202e}rtl",
        "tab\tline\nreturn\r",
        "nul\0inside",
        "\0",
        "quote\"'`\\",
        "$#@!",
        "w:x",
        "own:x",
        "pending",
        "#",
        "a#1",
        "é",
        "e\u{301}",
        "__proto__",
    ];
    let mut names: Vec<String> = odd.iter().map(|name| name.to_string()).collect();
    names.push("x".repeat(512));
    names.push("é".repeat(256));
    names.push(":{}".repeat(170));
    names
}

pub async fn attributes_come_back_bit_for_bit(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let texts = [
        String::new(),
        "{}".into(),
        "[]".into(),
        r#"{"a":[],"b":{},"c":[[]],"d":null}"#.into(),
        r#"{"big":123456789012345678901234567890,"exact":9007199254740993,"small":1e-320,"float":0.1,"minus":-0}"#
            .into(),
        r#"{"zero":1.0,"exp":1E+2}"#.into(),
        "{ \"spaces\" :\t1 ,\n\"twice\":1,\"twice\":2 }".into(),
        r#"{"größe":"漢字 👩‍🚀 é ","escaped":"\u0000\ud83d\ude80"}"#.into(),
        "\"nul\0inside\nnewline\r\nreturn\"".into(),
        "\u{feff}".into(),
        "%s %d {} $1 \\ ' \" KEYS[1]".into(),
        format!("\"{}\"", "0123456789abcdef".repeat(4096)),
        format!("\"{}\"", "漢\0".repeat(16_000)),
    ];
    for (n, attributes) in texts.iter().enumerate() {
        let id = format!("r{n}");
        let request = PlaceRequest { attributes: attributes.clone(), ..broker.wish("Room", Some(&id)) };
        let epoch = broker.reserve(&request).await.epoch;
        let entry = broker.activate(&id).await.expect("it stands under its owner");
        assert!(entry.attributes == *attributes, "activated: {:.80} for {attributes:.80}", entry.attributes);
        assert!(broker.release(&id, epoch, Fate::Recover).await);
        let (claimed, ..) = broker.claim(&broker.appetite()).await;
        assert!(claimed[0].attributes == *attributes, "claimed: {:.80} for {attributes:.80}", claimed[0].attributes);
        broker.release(&id, claimed[0].epoch, Fate::Recover).await;
        broker.create(&id).await;
        let entry = broker.activate(&id).await.expect("it stands under its owner");
        assert!(entry.attributes == *attributes, "placed again: {:.80} for {attributes:.80}", entry.attributes);
        assert!(broker.release(&id, entry.epoch, Fate::Delete).await);
    }
}

pub async fn a_worker_may_have_any_id(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for id in names() {
        let epoch = broker.create(&id).await.epoch;
        assert!(matches!(broker.place(&broker.wish("Room", Some(&id))).await, Placement::Existing { .. }), "{id:?}");
        assert_eq!(broker.activate(&id).await.map(|entry| entry.id.to_string()), Some(id.clone()));
        assert!(broker.set_load(&id, epoch, 3).await, "{id:?}");
        assert!(broker.release(&id, epoch, Fate::Recover).await, "{id:?}");
        assert_eq!(
            broker.locate(&id).await,
            Location::Pending { class: "Room".into(), cluster: "main".into() },
            "{id:?}"
        );
    }
    let mut claimed: Vec<_> =
        broker.claim(&broker.appetite()).await.0.iter().map(|entry| entry.id.to_string()).collect();
    claimed.sort();
    let mut expected = names();
    expected.sort();
    assert_eq!(claimed, expected);
    let mut owned = broker.owned().await;
    owned.sort();
    assert_eq!(owned, expected);
    assert_eq!(broker.load().await, Some(expected.len() as u64));
}

pub async fn a_class_may_have_any_name(cluster: Cluster) {
    let all: Vec<_> = names();
    let hosted = all.iter().map(ClassName::new).collect();
    let broker = cluster.broker_like(BrokerRecord { classes: hosted, ..record("a") }).await;
    for class in &all {
        let reserved = broker.reserve(&broker.wish(class, None)).await;
        assert_eq!(reserved.id.as_str(), format!("{class}#1"));
        assert_eq!(reserved.class.as_str(), class);
        let entry = broker.activate(reserved.id.as_str()).await.expect("it stands under its owner");
        assert_eq!(entry.class.as_str(), class);
        assert!(broker.release(reserved.id.as_str(), reserved.epoch, Fate::Recover).await);
        assert_eq!(broker.scan().await.claimable, 1, "{class:?}");
        let one = ClaimRequest { classes: [ClassName::new(class)].into(), ..broker.appetite() };
        let (claimed, ..) = broker.claim(&one).await;
        assert_eq!(claimed.len(), 1, "{class:?}");
        assert!(broker.release(reserved.id.as_str(), claimed[0].epoch, Fate::Delete).await);
    }
    assert_eq!(broker.scan().await.members[0].record, broker.record);
}

pub async fn a_cluster_may_have_any_name(cluster: Cluster) {
    for (n, name) in names().iter().enumerate() {
        let broker =
            cluster.broker_like(BrokerRecord { cluster: ClusterName::new(name), ..record(&format!("b{n}")) }).await;
        let id = format!("r{n}");
        assert_eq!(broker.create(&id).await.owner, broker.owner(), "{name:?}");
        assert_eq!(broker.load().await, Some(1), "{name:?}");
        let entry = broker.activate(&id).await.expect("it stands under its owner");
        assert_eq!(entry.cluster.as_str(), name);
        assert!(broker.release(&id, entry.epoch, Fate::Recover).await);
        assert_eq!(broker.scan().await.claimable, 1, "{name:?}");
        assert_eq!(broker.claim(&broker.appetite()).await.0[0].cluster.as_str(), name);
        assert_eq!(
            broker.scan().await.members.iter().find(|member| member.record == broker.record).map(|member| member.load),
            Some(1)
        );
    }
}

pub async fn clusters_and_classes_whose_names_run_together_are_kept_apart(cluster: Cluster) {
    let pairs = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("a", "b%3Ac")];
    let mut brokers = Vec::new();
    for (n, (home, class)) in pairs.iter().enumerate() {
        let like =
            BrokerRecord { cluster: ClusterName::new(home), classes: classes(&[class]), ..record(&format!("b{n}")) };
        brokers.push(cluster.broker_like(like).await);
    }
    for (n, (broker, (_, class))) in brokers.iter().zip(pairs).enumerate() {
        broker.pend(&broker.wish(class, Some(&format!("r{n}")))).await;
    }
    for (n, broker) in brokers.iter().enumerate() {
        let claimed = broker.claim(&broker.appetite()).await.0;
        assert_eq!(claimed.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>(), [format!("r{n}")]);
    }
}

pub async fn a_broker_may_have_any_id_and_any_host(cluster: Cluster) {
    let hosts = ["127.0.0.1", "::1", "fe80::1%eth0", "name.example", "größe", "with space", "a,b|c", "", "nul\0inside"];
    for (n, id) in names().iter().enumerate() {
        let address = Endpoint { host: hosts[n % hosts.len()].into(), port: n as u16 };
        let said = BrokerRecord { broker: BrokerId::new(id), address: address.clone(), ..record(&format!("b{n}")) };
        let broker = cluster.broker_like(said).await;
        let rival = BrokerRecord { incarnation: "rival".into(), ..broker.record.clone() };
        match broker.coordinator.register(&rival, LEASE).await {
            Ok(Registration::IdInUse(holder)) => {
                assert_eq!((&holder.incarnation, holder.address), (broker.incarnation(), address), "{id:?}");
            }
            other => panic!("{id:?}: {other:?}"),
        }
        assert_eq!(broker.scan().await.members[0].record, broker.record);
        broker.create("r").await;
        assert!(matches!(broker.locate("r").await, Location::Owned { owner, .. } if owner == broker.owner()), "{id:?}");
        broker.leave(Fate::Delete, CHUNK).await;
    }
}

pub async fn a_namespace_may_have_any_name_and_is_kept_apart_from_all_others(cluster: Cluster) {
    let mut all = names();
    all.extend(["dw", "dw:w", "dw}:w", "a}:w:x", "a"].map(String::from));
    let broker = record("a");
    for (n, name) in all.iter().enumerate() {
        let visitor = cluster.visitor_of(name).await;
        let before = visitor.scan(&broker.incarnation).await.expect("scan");
        assert_eq!((before.members.len(), before.restart_number), (0, 0), "{name:?}");
        visitor.register(&broker, LEASE).await.expect("register");
        visitor.request_restart().await.expect("restart");
        let request = PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: broker.incarnation.clone(),
            id: Some("r".into()),
            class: "Room".into(),
            cluster: "main".into(),
            recoverable: true,
            attributes: n.to_string(),
            ttl: LEASE,
        };
        assert!(matches!(visitor.place(&request).await, Ok(Placement::Reserved { .. })), "{name:?}");
    }
    for (n, name) in all.iter().enumerate() {
        let visitor = cluster.visitor_of(name).await;
        let found = activate(&visitor, &broker.incarnation, &["r".into()]).await;
        assert_eq!(found[0].as_ref().map(|entry| entry.attributes.clone()), Some(n.to_string()), "{name:?}");
    }
}
