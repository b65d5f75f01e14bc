//! Who may not publish is told so in the protocol's own words, and costs the others nothing.

mod support;

use support::{Encoder, Stage, soon};
use tonic::Code;

#[tokio::test]
async fn an_unknown_key_is_denied_with_a_sentence() {
    let stage = Stage::new().await;
    let mut encoder = stage.encoder().await;
    let status = encoder.publish(&format!("sk_{}", "z".repeat(32))).await;
    assert_eq!(
        (status.level.as_str(), status.code.as_str()),
        ("error", "NetStream.Publish.Denied")
    );
    assert_eq!(status.description, "This stream key is unknown or was revoked.");
    soon("the edge to close", encoder.closed()).await;
    stage.stop().await;
}

#[tokio::test]
async fn d20_a_key_that_may_not_publish_is_told_why_in_the_api_s_words() {
    let stage = Stage::new().await;
    let (denied, rejected) = ("NetStream.Publish.Denied", "NetStream.Publish.Rejected");
    let cases = [
        (
            1,
            Code::Unauthenticated,
            "This stream key was revoked. Copy the current one.",
            denied,
        ),
        (
            2,
            Code::Unauthenticated,
            "This stream key expired on 2026-01-01 at 00:00 UTC.",
            denied,
        ),
        (
            3,
            Code::PermissionDenied,
            "This account is suspended, so it cannot go live.",
            rejected,
        ),
        (
            4,
            Code::PermissionDenied,
            "This channel is switched off, so it cannot go live.",
            rejected,
        ),
    ];
    stage
        .farm
        .set(|b| b.denied.extend(cases.map(|(n, code, sentence, _)| (n, code, sentence))));
    for (n, _, sentence, code) in cases {
        let mut encoder = stage.encoder().await;
        let status = encoder.publish(&stage.farm.key(n)).await;
        assert_eq!(
            (status.level.as_str(), status.code.as_str(), status.description.as_str()),
            ("error", code, sentence)
        );
        soon("the edge to close", encoder.closed()).await;
    }
    let mut encoder = stage.encoder().await;
    encoder.publish(&stage.farm.key(5)).await.started();
    stage.stop().await;
}

#[tokio::test]
async fn a_malformed_key_is_denied_without_asking_the_api() {
    let stage = Stage::new().await;
    for key in ["", "hunter2", "rtmp://host/live/hunter2"] {
        let mut encoder = stage.encoder().await;
        let status = encoder.publish(key).await;
        assert_eq!(status.code, "NetStream.Publish.Denied");
        assert!(status.description.contains("stream key"), "{status:?}");
        assert!(!status.description.contains("hunter2"), "{status:?}");
        encoder.closed().await;
    }
    assert_eq!(stage.farm.books.borrow().refused, 0);
    stage.stop().await;
}

#[tokio::test]
async fn a_key_is_found_in_the_address_as_encoders_send_it() {
    let stage = Stage::new().await;
    let key = stage.farm.key(2);
    for (app, name) in [
        ("live".to_owned(), key.clone()),
        (format!("live/{key}"), String::new()),
        ("live".to_owned(), format!("/{key}/")),
        ("live".to_owned(), format!("{key}?backup=1")),
        (String::new(), key.clone()),
    ] {
        let mut encoder = stage.encoder().await;
        encoder.publish_at(&app, &name).await.started();
    }
    stage.stop().await;
}

#[tokio::test]
async fn after_a_thousand_refusals_the_next_good_key_is_taken() {
    let stage = Stage::with(&["--ingest-address-burst", "5000"]).await;
    for n in 0..1_000u32 {
        let mut encoder = stage.encoder().await;
        // A few wrong keys, each tried over and over: what a badly set up encoder does.
        let wrong = format!("sk_{}{}", "y".repeat(31), char::from(b'a' + (n % 10) as u8));
        let status = encoder.publish(&wrong).await;
        assert_eq!(status.code, "NetStream.Publish.Denied");
    }
    let mut encoder = stage.encoder().await;
    encoder.publish(&stage.farm.key(1)).await.started();
    let refused = stage.farm.books.borrow().refused;
    assert!(refused < 200, "the api was asked {refused} times");
    stage.stop().await;
}

#[tokio::test]
async fn an_address_that_guesses_is_turned_away_and_others_are_not() {
    let stage = Stage::new().await;
    let guesser = "127.0.0.66".parse().expect("an address");
    let guesses = (0..100u32).map(|n| {
        let (high, low) = (char::from(b'a' + (n / 20) as u8), char::from(b'a' + (n % 20) as u8));
        let key = format!("sk_{}{high}{low}", "x".repeat(30));
        let edge = stage.rtmp;
        tokio::spawn(async move { Encoder::connect_from(guesser, edge).await.publish(&key).await })
    });
    let guesses: Vec<_> = guesses.collect();
    let mut honest = stage.encoder().await;
    soon("an honest publisher", honest.publish(&stage.farm.key(1)))
        .await
        .started();
    let mut turned_away = 0;
    for guess in guesses {
        let status = guess.await.expect("no panic");
        turned_away += usize::from(status.code == "NetStream.Publish.Rejected");
    }
    assert!(turned_away >= 50, "{turned_away} of 100 turned away unasked");
    assert!(stage.farm.books.borrow().refused <= 50);
    stage.stop().await;
}

#[tokio::test]
async fn a_known_key_publishes_while_the_api_is_down_and_an_unknown_one_is_told_why_not() {
    let stage = Stage::new().await;
    let mut first = stage.encoder().await;
    first.publish(&stage.farm.key(1)).await.started();
    stage.farm.set(|b| b.api_down = true);
    let mut again = stage.encoder().await;
    again.publish(&stage.farm.key(1)).await.started();
    let mut unknown = stage.encoder().await;
    let status = unknown.publish(&stage.farm.key(2)).await;
    assert_eq!(status.code, "NetStream.Publish.Rejected");
    assert!(status.description.contains("cannot be checked"), "{status:?}");
    stage.stop().await;
}

#[tokio::test]
async fn other_protocols_and_noise_end_alone() {
    let stage = Stage::new().await;
    let mut live = stage.encoder().await;
    live.publish(&stage.farm.key(1)).await.started();
    let openings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\x06",
        b"\xff\xff\xff",
        b"",
    ];
    for opening in openings {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = tokio::net::TcpStream::connect(stage.rtmp)
            .await
            .expect("the edge listens");
        socket.write_all(opening).await.expect("a socket");
        socket.shutdown().await.expect("a socket");
        let mut rest = Vec::new();
        // A reset is as good an answer as a close.
        let _ = soon("the edge to close", socket.read_to_end(&mut rest)).await;
        assert!(rest.len() <= 3_073, "no more than a handshake's answer");
    }
    live.headers().await;
    live.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 50).await;
    stage.stop().await;
}

#[tokio::test]
async fn a4_a_browser_is_told_what_this_port_is_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stage = Stage::new().await;
    let mut socket = tokio::net::TcpStream::connect(stage.rtmp)
        .await
        .expect("the edge listens");
    let request = "POST /open/1 HTTP/1.1\r\nHost: edge\r\nContent-Length: 1\r\n\r\n\0";
    socket.write_all(request.as_bytes()).await.expect("a socket");
    let mut answer = String::new();
    // Neither a reset nor a wait for the linger's end: the answer is whole and the connection closes behind it.
    soon("an answer", socket.read_to_string(&mut answer))
        .await
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("player page.\n"), "{answer}");
    stage.stop().await;
}

#[tokio::test]
async fn a16_an_address_that_connects_too_often_is_cut_off_and_the_others_are_not() {
    let stage = Stage::with(&["--ingest-address-burst", "3", "--ingest-address-per-s", "1"]).await;
    let mut live = Vec::new();
    for _ in 0..3 {
        live.push(stage.encoder().await);
    }
    assert!(is_cut_off(stage.rtmp, "127.0.0.1").await);
    assert!(!is_cut_off(stage.rtmp, "127.0.0.2").await);
    live[0].publish(&stage.farm.key(1)).await.started();
    stage.stop().await;
}

#[tokio::test]
async fn a_full_edge_cuts_newcomers_off_and_has_room_again_when_one_leaves() {
    let stage = Stage::with(&["--ingest-connections-max", "1"]).await;
    let mut live = stage.encoder().await;
    live.publish(&stage.farm.key(1)).await.started();
    assert!(is_cut_off(stage.rtmp, "127.0.0.1").await);
    live.drop_connection();
    let room = async { while is_cut_off(stage.rtmp, "127.0.0.1").await {} };
    soon("room", room).await;
    stage.stop().await;
}

/// Whether a new connection is closed without a word.
async fn is_cut_off(edge: std::net::SocketAddr, from: &str) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind(format!("{from}:0").parse().expect("an address"))
        .expect("a free port");
    let mut socket = socket.connect(edge).await.expect("the edge listens");
    let mut hello = [7; 1537];
    hello[0] = 3;
    // The edge may have hung up already.
    let _ = socket.write_all(&hello).await;
    let mut answer = [0; 3073];
    soon("an answer or a close", socket.read_exact(&mut answer))
        .await
        .is_err()
}

#[tokio::test]
async fn d18_a_bandwidth_test_is_taken_and_kept_from_viewers() {
    let stage = Stage::new().await;
    let mut test = stage.encoder().await;
    test.publish(&format!("{}?bandwidthtest=true", stage.farm.key(2)))
        .await
        .started();
    test.headers().await;
    test.play(50).await;
    test.finish(&stage.farm.key(2)).await;
    let mut live = stage.live().await;
    live.play(50).await;
    stage.farm.opened(0).await;
    let opens = stage.farm.books.borrow().opens.clone();
    assert!(
        opens.iter().all(|(_, open)| open.channel_id.ends_with('b')),
        "{opens:?}"
    );
    stage.stop().await;
}
