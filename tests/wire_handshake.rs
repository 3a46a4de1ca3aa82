//! Who is let in, who is not, and what each side says about it.
#![allow(clippy::unwrap_used)]

use bytes::{BufMut, Bytes, BytesMut};
use dworker::ids::{BrokerId, Incarnation};
use dworker::wire::handshake::*;
use proptest::prelude::*;

fn party(broker: &str, secrets: &[&str]) -> Party {
    let identity = Identity {
        namespace: "ns".to_owned(),
        broker: BrokerId::new(broker),
        incarnation: Incarnation::new(format!("incarnation of {broker}")),
    };
    Party::new(identity, Secrets(secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect()), 1 << 20)
}

/// The frame inside its length.
fn inner(bytes: &Bytes) -> Bytes {
    let mut buffer = BytesMut::from(&bytes[..]);
    let frame = take_frame(&mut buffer).unwrap().unwrap();
    assert!(buffer.is_empty());
    frame
}

fn sent(step: Step) -> Bytes {
    match step {
        Step::Send(bytes) => inner(&bytes),
        Step::Done { .. } => panic!("done too early"),
    }
}

/// What both sides make of each other: initiator, responder.
type Outcome = (Result<Peer, HandshakeError>, Result<Peer, HandshakeError>);

fn shake(initiator: Party, responder: Party) -> Outcome {
    shake_with(initiator, responder, [1; 32], [2; 32])
}

fn shake_with(initiator: Party, responder: Party, first: Nonce, second: Nonce) -> Outcome {
    let (mut ours, hello) = Handshake::initiate(initiator, first).unwrap();
    let mut theirs = Handshake::respond(responder, second).unwrap();
    // A side that refuses tells the other.
    let told = |error: HandshakeError| error.farewell().map(|frame| inner(&frame));
    let answer = match theirs.receive(&inner(&hello)) {
        Ok(step) => sent(step),
        Err(error) => return (ours.receive(&told(error).unwrap()).map(|_| unreachable!()), Err(error)),
    };
    let proof = match ours.receive(&answer) {
        Ok(step) => sent(step),
        Err(error) => return (Err(error), theirs.receive(&told(error).unwrap()).map(|_| unreachable!())),
    };
    match theirs.receive(&proof) {
        Ok(Step::Done { peer, send }) => match ours.receive(&inner(&send.unwrap())) {
            Ok(Step::Done { peer: other, send: None }) => (Ok(other), Ok(peer)),
            Ok(_) => panic!("the initiator has nothing more to say"),
            Err(error) => (Err(error), Ok(peer)),
        },
        Ok(Step::Send(_)) => panic!("the responder has only its proof to say"),
        Err(error) => (ours.receive(&told(error).unwrap()).map(|_| unreachable!()), Err(error)),
    }
}

#[test]
fn two_with_one_secret_know_each_other() {
    let mut small = party("b", &["s"]);
    small.max_frame = 1000;
    let (a, b) = shake(party("a", &["s"]), small.clone());
    assert_eq!(a, Ok(Peer { identity: small.identity, purpose: Purpose::Messages, version: 1, max_frame: 1000 }));
    assert_eq!(
        b,
        Ok(Peer { identity: party("a", &[]).identity, purpose: Purpose::Messages, version: 1, max_frame: 1 << 20 })
    );
}

#[test]
fn the_connecting_side_says_what_a_connection_is_for() {
    let mut control = party("a", &["s"]);
    control.purpose = Purpose::Control;
    let (a, b) = shake(control.clone(), party("b", &["s"]));
    assert_eq!((a.unwrap().purpose, b.unwrap().purpose), (Purpose::Control, Purpose::Control));
    let (a, b) = shake(party("b", &["s"]), control);
    assert_eq!((a.unwrap().purpose, b.unwrap().purpose), (Purpose::Messages, Purpose::Messages));
}

#[test]
fn a_proof_holds_for_one_encrypted_channel_only() {
    let on = |channel| Party { channel, ..party("a", &["s"]) };
    for (ours, theirs) in [(Some([1; 32]), Some([2; 32])), (Some([1; 32]), None), (None, Some([1; 32]))] {
        let (_, relayed) = shake(on(ours), on(theirs));
        assert_eq!(relayed, Err(HandshakeError::WrongSecret), "{ours:?} {theirs:?}");
    }
    let (a, b) = shake(on(Some([1; 32])), on(Some([1; 32])));
    assert!(a.is_ok() && b.is_ok());
}

#[test]
fn another_secret_is_refused_and_both_sides_know_why() {
    let refused = Err(HandshakeError::Refused(Refusal::WrongSecret));
    for (ours, theirs) in [(&["s"][..], &["t"][..]), (&[], &["s"]), (&["s"], &[]), (&[], &[]), (&["s"], &["s "])] {
        assert_eq!(shake(party("a", ours), party("b", theirs)), (refused.clone(), Err(HandshakeError::WrongSecret)));
    }
}

#[test]
fn a_secret_is_rotated_without_a_moment_in_which_anybody_is_refused() {
    let stages: [&[&str]; 5] = [&["old"], &["old", "new"], &["new", "old"], &["new", "old"], &["new"]];
    for pair in stages.windows(2) {
        for (ours, theirs) in [(pair[0], pair[1]), (pair[1], pair[0]), (pair[1], pair[1])] {
            let (a, b) = shake(party("a", ours), party("b", theirs));
            assert!(a.is_ok() && b.is_ok(), "{ours:?} and {theirs:?}: {a:?}, {b:?}");
        }
    }
    let (_, refused) = shake(party("a", &["old"]), party("b", &["new"]));
    assert_eq!(refused, Err(HandshakeError::WrongSecret));
}

#[test]
fn a_foreign_namespace_is_refused_whatever_the_secret() {
    let mut foreign = party("b", &["s"]);
    foreign.identity.namespace = "other".to_owned();
    let refused = Err(HandshakeError::Refused(Refusal::ForeignNamespace));
    assert_eq!(shake(party("a", &["s"]), foreign), (refused, Err(HandshakeError::ForeignNamespace)));
}

#[test]
fn the_highest_common_version_is_spoken_or_none() {
    for (ours, theirs, common) in [
        ((1, 1), (1, 3), Some(1)),
        ((1, 3), (2, 5), Some(3)),
        ((2, 2), (1, 4), Some(2)),
        ((1, 1), (2, 2), None),
        ((5, 9), (1, 4), None),
        ((9, 5), (1, 9), None),
    ] {
        let (mut a, mut b) = (party("a", &["s"]), party("b", &["s"]));
        (a.versions, b.versions) = (ours, theirs);
        let (outcome, other) = shake(a, b);
        match common {
            Some(version) => assert_eq!((outcome.unwrap().version, other.unwrap().version), (version, version)),
            None => assert_eq!(other, Err(HandshakeError::NoCommonVersion), "{ours:?} {theirs:?}"),
        }
    }
}

#[test]
fn ones_own_frames_sent_back_are_refused_as_reflected() {
    let (mut ours, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    assert_eq!(ours.receive(&inner(&hello)), Err(HandshakeError::Reflected));

    let (mut ours, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    let proof = sent(ours.receive(&sent(theirs.receive(&inner(&hello)).unwrap())).unwrap());
    assert_eq!(ours.receive(&proof), Err(HandshakeError::Reflected));

    // Two handshakes with one victim, each fed from the other: the nonce gives it away.
    let (mut ours, _) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let mut victim = Handshake::respond(party("a", &["s"]), [1; 32]).unwrap();
    let (_, hello) = Handshake::initiate(party("b", &["s"]), [3; 32]).unwrap();
    let answer = sent(victim.receive(&inner(&hello)).unwrap());
    assert_eq!(ours.receive(&answer), Err(HandshakeError::Reflected));
}

#[test]
fn a_proof_of_one_role_is_none_of_the_other() {
    // The initiator's proof, relabelled: role byte and answered nonce are the responder's, the MAC is not.
    let (mut ours, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    let proof = sent(ours.receive(&sent(theirs.receive(&inner(&hello)).unwrap())).unwrap());
    let mut forged = proof.to_vec();
    forged[5] = Role::Responder as u8;
    forged[6..38].fill(1);
    assert_eq!(ours.receive(&Bytes::from(forged)), Err(HandshakeError::WrongSecret));
}

#[test]
fn a_recorded_handshake_does_not_work_again() {
    let (mut ours, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let hello = inner(&hello);
    let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    let answer = sent(theirs.receive(&hello).unwrap());
    let proof = sent(ours.receive(&answer).unwrap());
    let Ok(Step::Done { send: Some(last), .. }) = theirs.receive(&proof) else { panic!("not let in") };

    let mut later = Handshake::respond(party("b", &["s"]), [3; 32]).unwrap();
    sent(later.receive(&hello).unwrap());
    assert_eq!(later.receive(&proof), Err(HandshakeError::Replayed));

    let (mut later, _) = Handshake::initiate(party("a", &["s"]), [4; 32]).unwrap();
    sent(later.receive(&answer).unwrap());
    assert_eq!(later.receive(&inner(&last)), Err(HandshakeError::Replayed));

    // With the nonce corrected it is no proof any more.
    let mut later = Handshake::respond(party("b", &["s"]), [3; 32]).unwrap();
    sent(later.receive(&hello).unwrap());
    let mut forged = proof.to_vec();
    forged[6..38].fill(3);
    assert_eq!(later.receive(&Bytes::from(forged)), Err(HandshakeError::WrongSecret));
}

#[test]
fn every_byte_of_both_hellos_is_bound() {
    let (mut first, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let hello = inner(&hello);
    let mut second = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    let answer = sent(second.receive(&hello).unwrap());
    let proof = sent(first.receive(&answer).unwrap());
    for index in 0..hello.len() {
        let mut changed = hello.to_vec();
        changed[index] ^= 1;
        let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
        let outcome = theirs.receive(&Bytes::from(changed)).and_then(|_| theirs.receive(&proof));
        assert!(outcome.is_err(), "byte {index} of the initiator's hello");
    }
    let Ok(Step::Done { send: Some(last), .. }) = second.receive(&proof) else { panic!("not let in") };
    for index in 0..answer.len() {
        let mut changed = answer.to_vec();
        changed[index] ^= 1;
        let (mut ours, _) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
        let outcome = ours.receive(&Bytes::from(changed)).and_then(|_| ours.receive(&inner(&last)));
        assert!(outcome.is_err(), "byte {index} of the responder's hello");
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
    let mut buffer = BytesMut::new();
    buffer.put_u32(HANDSHAKE_MAX_FRAME as u32 + 1);
    assert_eq!(take_frame(&mut buffer), Err(HandshakeError::Oversized));
    let mut buffer = BytesMut::new();
    buffer.put_u32(HANDSHAKE_MAX_FRAME as u32);
    buffer.put_slice(b"DWRK");
    assert_eq!(take_frame(&mut buffer), Ok(None));
    let mut named = party("a", &["s"]);
    named.identity.broker = BrokerId::new("x".repeat(1000));
    assert_eq!(Handshake::initiate(named.clone(), [1; 32]).err(), Some(HandshakeError::Oversized));
    named.identity.broker = BrokerId::new("x".repeat(100_000));
    assert_eq!(Handshake::respond(named, [1; 32]).err(), Some(HandshakeError::Oversized));
}

#[test]
fn a_peer_of_another_protocol_is_recognised_at_once() {
    for text in ["GET / HTTP/1.1\r\n", "\0\0\0\x05null\n", "\0\0\0\0DWRX"] {
        let mut buffer = BytesMut::from(text);
        assert_eq!(take_frame(&mut buffer), Err(HandshakeError::NotABroker), "{text:?}");
    }
}

#[test]
fn a_peer_that_speaks_tls_is_recognised_at_once() {
    for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"\x15\x03", b"\x17\x03\x03\x00\x13"] {
        let mut buffer = BytesMut::from(bytes);
        assert_eq!(take_frame(&mut buffer), Err(HandshakeError::UnexpectedTls), "{bytes:?}");
    }
}

#[test]
fn a_truncated_frame_is_malformed_wherever_it_ends() {
    let (_, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let hello = inner(&hello);
    for length in 0..hello.len() {
        let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
        let refused = theirs.receive(&hello.slice(..length));
        assert!(matches!(refused, Err(HandshakeError::Malformed)), "{length}: {refused:?}");
    }
    let mut longer = hello.to_vec();
    longer.push(0);
    let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    assert_eq!(theirs.receive(&Bytes::from(longer)), Err(HandshakeError::Malformed));
}

#[test]
fn a_frame_out_of_turn_is_refused() {
    let (mut ours, hello) = Handshake::initiate(party("a", &["s"]), [1; 32]).unwrap();
    let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    let answer = sent(theirs.receive(&inner(&hello)).unwrap());
    assert_eq!(theirs.receive(&inner(&hello)), Err(HandshakeError::OutOfTurn));
    let proof = sent(ours.receive(&answer).unwrap());
    let mut fresh = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
    assert_eq!(fresh.receive(&proof), Err(HandshakeError::OutOfTurn));
    assert_eq!(theirs.receive(&proof), Err(HandshakeError::OutOfTurn), "an error is the end");
}

#[test]
fn secrets_are_not_printed() {
    let party = party("a", &["hunter2"]);
    let printed = format!("{party:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("104, 117"), "{printed}");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1100), kind in 0..5u8, raw in any::<bool>()) {
        let mut bytes = bytes;
        if !raw && bytes.len() > 8 {
            bytes[..5].copy_from_slice(&[b'D', b'W', b'R', b'K', kind]);
            bytes[5] = 1;
        }
        let mut theirs = Handshake::respond(party("b", &["s"]), [2; 32]).unwrap();
        let _ = theirs.receive(&Bytes::from(bytes.clone()));
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(frame)) = take_frame(&mut buffer) {
            prop_assert!(frame.len() <= HANDSHAKE_MAX_FRAME);
        }
    }

    #[test]
    fn names_of_any_kind_arrive_as_they_are(namespace in any::<String>(), broker in any::<String>(), incarnation in any::<String>()) {
        let identity = Identity { namespace, broker: BrokerId::new(broker), incarnation: Incarnation::new(incarnation) };
        let mut a = party("a", &["s"]);
        a.identity = identity.clone();
        let mut b = party("b", &["s"]);
        b.identity.namespace = identity.namespace.clone();
        let (_, peer) = shake(a, b);
        prop_assert_eq!(peer.unwrap().identity, identity);
    }
}

#[test]
fn a_proof_that_fails_says_whether_the_expected_broker_was_met() {
    let expecting = |target: &Party| Party { target: Some(target.identity.incarnation.clone()), ..party("a", &["s"]) };
    let (one, another) = (party("b", &["other"]), party("c", &["other"]));
    for (target, error, refusal) in [
        (&one, HandshakeError::WrongSecret, Refusal::WrongSecret),
        (&another, HandshakeError::AnotherSystem, Refusal::AnotherSystem),
    ] {
        let (mut ours, hello) = Handshake::initiate(expecting(target), [1; 32]).unwrap();
        let mut theirs = Handshake::respond(one.clone(), [2; 32]).unwrap();
        let proof = sent(ours.receive(&sent(theirs.receive(&inner(&hello)).unwrap())).unwrap());
        assert_eq!(theirs.receive(&proof), Err(error));
        let farewell = inner(&error.farewell().unwrap());
        assert_eq!(ours.receive(&farewell), Err(HandshakeError::Refused(refusal)));
    }
}

#[test]
fn a_port_that_is_used_again_is_named_as_such() {
    let text = HandshakeError::AnotherSystem.to_string();
    assert!(text.contains("the port is probably used again") && text.contains("no secret in common"), "{text}");
    let text = HandshakeError::WrongSecret.to_string();
    assert!(text.contains("option.secret"), "{text}");
}
