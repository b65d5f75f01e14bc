//! Groups C and P: what publishers say, and how it is answered.

use super::*;

#[test]
fn c3_connect_without_an_object() {
    for argument in [Value::Null, Value::Undefined, "live".into(), 1.0.into()] {
        let (mut client, mut session) = (Client::new(), session());
        client
            .connect(argument)
            .publish(1, "live/KEY")
            .send(&mut session)
            .expect("tolerated");
        assert_eq!(events(&mut session).len(), 2);
    }
}

#[test]
fn c4_amf3_is_answered_in_amf0_and_says_so() {
    for encoding in [0.0, 3.0] {
        let (mut client, mut session) = (Client::new(), session());
        let fields = object([("app", "live".into()), ("objectEncoding", encoding.into())]);
        client.connect(fields).send(&mut session).expect("valid");
        let answers = client.answers(&mut session);
        let last = answers.last().expect("_result");
        assert_eq!(last.kind, kind::COMMAND_AMF0);
        assert_eq!(decode(&last.payload).0[3].property("objectEncoding"), Some(&0.0.into()));
    }
}

#[test]
fn c7_every_type_of_publish_is_live() {
    let of_type = [Some("live"), Some("record"), Some("append"), Some("nonsense"), None];
    for value in of_type {
        let (mut client, mut session) = (Client::new(), session());
        client.connect(object([("app", "live".into())]));
        let mut publish: Vec<Value> = vec!["publish".into(), 5.0.into(), Value::Null, "KEY".into()];
        publish.extend(value.map(Value::from));
        client.command(1, &publish).send(&mut session).expect("valid");
        assert!(
            matches!(events(&mut session)[..], [_, Event::PublishRequested(_)]),
            "{value:?}"
        );
        session.accept_publish();
        assert_eq!(session.stage(), Stage::Publishing, "{value:?}");
    }
}

#[test]
fn c8_a_publish_that_waits_for_nothing() {
    for transaction in [0.0, 4.0] {
        let (mut client, mut session) = (Client::new(), session());
        client.connect(object([("app", "live".into())]));
        // The stream is used before it was named, and the transaction number for the second time.
        client.command(0, &["createStream".into(), 4.0.into(), Value::Null]);
        client.command(
            1,
            &[
                "publish".into(),
                transaction.into(),
                Value::Null,
                "KEY".into(),
                "live".into(),
            ],
        );
        client
            .message(kind::AUDIO, 0, 1, &[0xaf, 0])
            .send(&mut session)
            .expect("tolerated");
        assert_eq!(events(&mut session).len(), 2);
        session.accept_publish();
        assert!(matches!(events(&mut session)[..], [Event::Audio { .. }]));
        let answers = client.commands(&mut session);
        assert_eq!(
            answers.last().map(String::as_str),
            Some("onStatus NetStream.Publish.Start")
        );
    }
}

#[test]
fn c5_capabilities_are_answered_with_what_both_have_and_only_when_asked() {
    let reply = |fields: Value| {
        let (mut client, mut session) = (Client::new(), session());
        client.connect(fields).send(&mut session).expect("valid");
        let answers = client.answers(&mut session);
        decode(&answers.last().expect("_result").payload).0[2].clone()
    };
    assert!(reply(object([("app", "live".into())])).property("fourCcList").is_none());
    let list = Value::Array(vec!["av01".into(), "avc1".into()]);
    let map = object([("*", 7.0.into())]);
    let server = reply(object([
        ("fourCcList", list),
        ("videoFourCcInfoMap", map),
        ("capsEx", 3.0.into()),
    ]));
    assert_eq!(server.property("fourCcList"), Some(&Value::Array(vec!["avc1".into()])));
    assert_eq!(
        server.property("videoFourCcInfoMap"),
        Some(&object([("avc1", 4.0.into())]))
    );
    assert_eq!(server.property("capsEx"), Some(&1.0.into()));
}

#[test]
fn c6_commands_of_every_kind_keep_the_connection() {
    let (mut client, mut session) = live();
    for (transaction, name) in ["_checkbw", "getStreamLength", "checkBandwidth", "FCSubscribe", "x"]
        .iter()
        .enumerate()
    {
        client.command(0, &[(*name).into(), (10.0 + transaction as f64).into(), Value::Null]);
    }
    client
        .command(0, &["noAnswerWanted".into(), 0.0.into()])
        .command(0, &[Value::Null]);
    client
        .message(kind::COMMAND_AMF0, 0, 0, &[0x77])
        .send(&mut session)
        .expect("tolerated");
    assert_eq!(client.commands(&mut session), ["_result"; 5]);
    assert_eq!(session.stage(), Stage::Publishing);
}

#[test]
fn c19_credentials_in_connect_are_no_question() {
    for app in [
        "live?authmod=adobe&user=studio",
        "live?authmod=llnw&user=studio&challenge=x&response=y&opaque=z",
    ] {
        let (mut client, mut session) = (Client::new(), session());
        let fields = object([
            ("app", app.into()),
            ("tcUrl", format!("rtmp://h/{app}").as_str().into()),
        ]);
        client
            .connect(fields)
            .publish(1, "KEY")
            .send(&mut session)
            .expect("valid");
        assert_eq!(
            client.commands(&mut session),
            ["_result NetConnection.Connect.Success"],
            "not challenged"
        );
        assert!(matches!(&events(&mut session)[..], [_, Event::PublishRequested(p)] if p.name == "KEY"));
    }
}

#[test]
fn c9_publish_again_after_delete_stream() {
    let (mut client, mut session) = live();
    client.command(0, &["FCUnpublish".into(), 6.0.into(), Value::Null, "KEY".into()]);
    client.command(0, &["deleteStream".into(), 7.0.into(), Value::Null, 1.0.into()]);
    client.publish(1, "KEY2").send(&mut session).expect("valid");
    let got = events(&mut session);
    assert!(matches!(&got[..], [Event::Unpublished { clean: true }, Event::PublishRequested(p)] if p.name == "KEY2"));
}

#[test]
fn a_publish_withdrawn_before_its_answer() {
    let (mut client, mut session) = (Client::new(), session());
    client.hello().send(&mut session).expect("valid");
    assert_eq!(events(&mut session).len(), 2);
    client
        .command(0, &["deleteStream".into(), 7.0.into(), Value::Null, 1.0.into()])
        .send(&mut session)
        .expect("valid");
    assert_eq!(events(&mut session), [Event::Unpublished { clean: true }]);
    session.accept_publish();
    assert_eq!(session.stage(), Stage::Connected);
}

#[test]
fn c10_play_is_refused_politely() {
    let (mut client, mut session) = (Client::new(), session());
    client
        .connect(object([]))
        .command(1, &["play".into(), 2.0.into(), Value::Null, "KEY".into()]);
    client.send(&mut session).expect("valid");
    assert_eq!(
        client.commands(&mut session),
        [
            "_result NetConnection.Connect.Success",
            "onStatus NetStream.Play.Failed"
        ]
    );
    assert_eq!(session.stage(), Stage::Closing);
}

#[test]
fn c11_c13_c15_metadata_in_every_wrapping() {
    let (mut client, mut session) = live();
    let set: Value = "@setDataFrame".into();
    let fields = object([("width", 640.0.into())]);
    client.message(
        18,
        0,
        1,
        &encode_all(&[set.clone(), "onMetaData".into(), fields.clone()]),
    );
    client.message(
        18,
        0,
        1,
        &encode_all(&[set.clone(), set, "onMetaData".into(), fields.clone()]),
    );
    client.message(18, 0, 1, &encode_all(&["onMetaData".into(), fields]));
    client.message(
        18,
        7,
        1,
        &encode_all(&["onTextData".into(), object([("text", "hi".into())])]),
    );
    client
        .message(18, 0, 1, &[])
        .message(18, 0, 1, &[0xff, 1])
        .message(18, 0, 1, &encode_all(&[5.0.into()]));
    client
        .message(18, 0, 1, &vec![2; DATA_BYTES_MAX + 1])
        .send(&mut session)
        .expect("never fatal");
    let metadata = Event::Metadata(Metadata {
        width: Some(640),
        ..Metadata::default()
    });
    let text = Event::Data {
        timestamp: 7,
        name: "onTextData".into(),
    };
    assert_eq!(
        events(&mut session),
        [metadata.clone(), metadata.clone(), metadata, text]
    );
}

#[test]
fn c18_refusals_carry_the_codes_that_encoders_know() {
    for (refusal, code) in [
        (Refusal::Denied, "Denied"),
        (Refusal::BadName, "BadName"),
        (Refusal::Rejected, "Rejected"),
    ] {
        let (mut client, mut session) = (Client::new(), session());
        client.hello().send(&mut session).expect("valid");
        events(&mut session);
        client.answers(&mut session);
        session.reject_publish(refusal, "Check the key.");
        assert_eq!(
            client.commands(&mut session),
            [format!("onStatus NetStream.Publish.{code}")]
        );
        assert_eq!(session.stage(), Stage::Closing);
        client
            .message(kind::VIDEO, 0, 1, &[1])
            .send(&mut session)
            .expect("passed over");
        assert_eq!(events(&mut session), []);
    }
}

#[test]
fn c20_reconnect_is_asked_only_of_clients_that_know_it() {
    for (caps, expected) in [(1.0, true), (2.0, false)] {
        let (mut client, mut session) = (Client::new(), session());
        client
            .connect(object([("capsEx", caps.into())]))
            .send(&mut session)
            .expect("valid");
        client.answers(&mut session);
        assert_eq!(session.request_reconnect("Maintenance."), expected);
        assert_eq!(client.commands(&mut session).len(), usize::from(expected));
    }
}

#[test]
fn p026_commands_before_publish_are_bounded() {
    let (mut client, mut session) = (Client::new(), session());
    (0..65).for_each(|i| {
        client.command(0, &["createStream".into(), f64::from(i).into(), Value::Null]);
    });
    assert_eq!(client.send(&mut session), Err(SessionError::TooManyCommands(65)));
}
