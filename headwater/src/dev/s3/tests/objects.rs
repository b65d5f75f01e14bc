//! Objects: what is sent comes back, under the conditions that were set, or is refused.

use super::*;

#[tokio::test]
async fn an_object_comes_back_as_it_was_sent() {
    let store = Store::start().await;
    for size in [0, 1, 1_000_000, 3_500_000] {
        let sent = body(size);
        store.put(KEY, sent.clone()).await;
        assert_eq!(store.get(KEY).await, sent, "{size} bytes");
        let file = std::fs::read(store.root.path().join(BUCKET).join(KEY)).expect("a file of that name");
        assert_eq!(file, sent, "the file is the object");
    }
}

#[tokio::test]
async fn ranges_follow_the_standard() {
    let store = Store::start().await;
    let sent = body(2_500_000);
    store.put(KEY, sent.clone()).await;
    for (range, wanted) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-1999999", 10..2_000_000),
        ("bytes=2400000-", 2_400_000..2_500_000),
        ("bytes=2499999-9999999", 2_499_999..2_500_000),
        ("bytes=-7", 2_499_993..2_500_000),
    ] {
        let got = store
            .client
            .get_object()
            .bucket(BUCKET)
            .key(KEY)
            .range(range)
            .send()
            .await;
        let got = got.expect("a part of it");
        let said = format!("bytes {}-{}/2500000", wanted.start, wanted.end - 1);
        assert_eq!(got.content_range(), Some(said.as_str()));
        let got = got.body.collect().await.expect("the body").to_vec();
        assert!(got == sent[wanted], "{range}");
    }
    let past = store
        .client
        .get_object()
        .bucket(BUCKET)
        .key(KEY)
        .range("bytes=2500000-");
    assert_eq!(code(past.send().await), (416, "InvalidRange".into()));
}

#[tokio::test]
async fn conditions_are_kept() {
    let store = Store::start().await;
    let put = |key: &str| {
        store
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(b"x"))
    };
    let first = put(KEY).if_none_match("*").send().await.expect("the first one");
    assert_eq!(
        code(put(KEY).if_none_match("*").send().await),
        (412, "PreconditionFailed".into())
    );
    let etag = first.e_tag().expect("an ETag");
    assert_eq!(
        code(put(KEY).if_match("\"other\"").send().await),
        (412, "PreconditionFailed".into())
    );
    assert_eq!(code(put("none").if_match(etag).send().await), (404, "NoSuchKey".into()));
    let second = put(KEY).if_match(etag).send().await.expect("the one that was meant");
    let second = second.e_tag().expect("an ETag");
    assert_ne!(second, etag, "same bytes, another version");

    let get = || store.client.get_object().bucket(BUCKET).key(KEY);
    let head = store
        .client
        .head_object()
        .bucket(BUCKET)
        .key(KEY)
        .send()
        .await
        .expect("it exists");
    assert_eq!((head.e_tag(), head.content_length()), (Some(second), Some(1)));
    let modified = *head.last_modified().expect("a time");
    get().if_match(second).send().await.expect("it is the one");
    get()
        .if_unmodified_since(modified)
        .send()
        .await
        .expect("it did not change");
    assert_eq!(code(get().if_match(etag).send().await).0, 412);
    assert_eq!(code(get().if_none_match(second).send().await).0, 304);
    assert_eq!(code(get().if_modified_since(modified).send().await).0, 304);
    let before = aws_sdk_s3::primitives::DateTime::from_secs(modified.secs() - 1);
    assert_eq!(code(get().if_unmodified_since(before).send().await).0, 412);
    get()
        .if_none_match(etag)
        .if_modified_since(modified)
        .send()
        .await
        .expect("the ETag decides");
}

#[tokio::test]
async fn one_of_many_writers_of_a_new_key_wins() {
    let store = Store::start().await;
    let writers = (0..20_u8).map(|n| {
        let put = store.client.put_object().bucket(BUCKET).key(KEY).if_none_match("*");
        put.body(ByteStream::from(vec![n; 100_000])).send()
    });
    let answers = futures::future::join_all(writers).await;
    let winners: Vec<_> = (0..20_u8)
        .zip(&answers)
        .filter(|(_, a)| a.is_ok())
        .map(|(n, _)| n)
        .collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(store.get(KEY).await, vec![winners[0]; 100_000]);
    let attributes = store.own_files();
    assert!(
        store.unfinished().is_empty() && attributes.len() == 1,
        "nothing is left of the others: {attributes:?}"
    );
}

#[tokio::test]
async fn attributes_come_back_and_usual_ones_cost_no_file() {
    let store = Store::start().await;
    let put = |key: &str| {
        store
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(b"x"))
    };
    let usual = put(KEY)
        .content_type("video/mp4")
        .cache_control("public, max-age=31536000, immutable");
    usual.send().await.expect("stored");
    assert_eq!(store.own_files(), [""; 0]);

    let unusual = put("page")
        .content_type("text/html")
        .cache_control("no-store")
        .metadata("who", "somebody");
    unusual.content_disposition("inline").send().await.expect("stored");
    assert_eq!(store.own_files().len(), 1);
    let head = async |key: &str| {
        store
            .client
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("it exists")
    };
    let said = head("page").await;
    assert_eq!(
        (said.content_type(), said.cache_control()),
        (Some("text/html"), Some("no-store"))
    );
    assert_eq!(said.content_disposition(), Some("inline"));
    assert_eq!(said.metadata().expect("metadata")["who"], "somebody");
    let said = head(KEY).await;
    assert_eq!(said.content_type(), Some("video/mp4"));
    assert_eq!(said.cache_control(), Some("public, max-age=31536000, immutable"));

    let copy = |to: &str| {
        store
            .client
            .copy_object()
            .bucket(BUCKET)
            .key(to)
            .copy_source(format!("{BUCKET}/page"))
    };
    copy("copies/page").send().await.expect("copied");
    assert_eq!(head("copies/page").await.content_type(), Some("text/html"));
    assert_eq!(code(copy("page").send().await), (400, "InvalidRequest".into()));
    let replace = copy("page").metadata_directive(MetadataDirective::Replace);
    replace.content_type("text/plain").send().await.expect("replaced");
    let said = head("page").await;
    assert_eq!((said.content_type(), said.cache_control()), (Some("text/plain"), None));

    put("page").send().await.expect("replaced");
    for key in ["page", "copies/page"] {
        store
            .client
            .delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("deleted");
    }
    assert_eq!(store.own_files(), [""; 0], "attributes go with their object");
}

#[tokio::test]
async fn keys_that_cannot_be_files_are_refused_and_say_so() {
    let store = Store::start().await;
    store.put("a/b", b"x".to_vec()).await;
    let long = format!("{}/x", "y".repeat(300));
    for key in ["a", "a/b/c", "a/b/c/d", "folder/", "a//b", &long] {
        let put = store
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(b"y"));
        let (status, said) = code(put.send().await);
        assert_eq!((status, said.as_str()), (400, "InvalidArgument"), "{key}");
        let get = store.client.get_object().bucket(BUCKET).key(key);
        assert_eq!(code(get.send().await), (404, "NoSuchKey".into()), "{key}");
        store
            .client
            .delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("nothing to delete");
    }
    let endless = "z/".repeat(600) + "z";
    let put = store
        .client
        .put_object()
        .bucket(BUCKET)
        .key(endless)
        .body(ByteStream::from_static(b"y"));
    assert_eq!(code(put.send().await).0, 400);
    assert_eq!(store.keys().await, ["a/b"]);
    assert_eq!(store.unfinished(), [""; 0]);
}

/// Sends a request as written, with no client that tidies its path.
async fn raw(store: &Store, request: &str) -> String {
    let mut socket = TcpStream::connect(&store.address).await.expect("the store listens");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn nobody_gets_out_of_the_folder_or_in_without_the_key() {
    let store = Store::start().await;
    let outside = store.root.path().join("outside");
    std::fs::write(&outside, "secret").expect("a file beside the bucket");
    for key in ["../outside", "x/../../outside", "..", "./../outside"] {
        let got = store.client.get_object().bucket(BUCKET).key(key).send().await;
        assert!(got.is_err(), "{key}");
        let put = store
            .client
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(b"y"));
        assert!(put.send().await.is_err(), "{key}");
        store.client.delete_object().bucket(BUCKET).key(key).send().await.ok();
    }
    assert_eq!(std::fs::read(&outside).expect("still there"), b"secret");

    store.put(KEY, b"x".to_vec()).await;
    for path in [format!("/{BUCKET}/{KEY}"), format!("/{BUCKET}?list-type=2"), "/".into()] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = raw(&store, &request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    let stranger = client(&store.address, "guessed");
    let got = stranger.get_object().bucket(BUCKET).key(KEY).send().await;
    assert_eq!(code(got), (403, "SignatureDoesNotMatch".into()));
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_is_not_kept() {
    let store = Store::start().await;
    let put = || {
        store
            .client
            .put_object()
            .bucket(BUCKET)
            .key(KEY)
            .body(ByteStream::from_static(b"hello"))
    };
    let wrong = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await;
    assert_eq!(code(wrong), (400, "BadDigest".into()));
    put()
        .content_md5("XUFAKrxLKna5cZ2REBfFkg==")
        .send()
        .await
        .expect("its own MD5");
    let wrong = put().checksum_crc32_c("AAAAAA==").send().await;
    assert_eq!(code(wrong), (400, "BadDigest".into()));
    let sum = put()
        .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256)
        .send()
        .await
        .expect("kept");
    assert_eq!(
        sum.checksum_sha256(),
        Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
    );

    // A publisher that goes away in the middle: nothing of it is visible, and nothing is left.
    let before = store.get(KEY).await;
    let presigned = put().presigned(
        aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).expect("a minute"),
    );
    let presigned = presigned.await.expect("an address");
    let path = presigned
        .uri()
        .split_once(&store.address)
        .expect("at the store")
        .1
        .to_string();
    let headers: String = presigned.headers().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    let mut socket = TcpStream::connect(&store.address).await.expect("the store listens");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: 4000000\r\n\r\n",
        store.address
    );
    let head = head.replace("content-length: 5\r\n", "");
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket.write_all(&body(2_000_000)).await.expect("half of it");
    socket.shutdown().await.expect("gone");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok();
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(store.get(KEY).await, before);
    assert_eq!(store.unfinished(), [""; 0]);
}
