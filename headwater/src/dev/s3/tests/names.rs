//! Lists, deletion, buckets, uploads in parts, and a client from elsewhere.

use super::*;

#[tokio::test]
async fn lists_have_pages_folders_and_order() {
    let store = Store::start().await;
    let keys = ["a b+c%", "a-b", "a/1", "a/2/x", "a/2/y", "a0", "b/ü"];
    for key in keys.iter().rev() {
        store.put(key, b"xyz".to_vec()).await;
    }
    let (mut listed, mut from) = (Vec::new(), None);
    loop {
        let list = store.client.list_objects_v2().bucket(BUCKET).max_keys(2);
        let page = list.set_continuation_token(from).send().await.expect("a page");
        assert!(page.contents().len() <= 2 && page.contents().iter().all(|o| o.size() == Some(3)));
        listed.extend(page.contents().iter().filter_map(|o| o.key.clone()));
        assert_eq!(page.is_truncated(), Some(page.next_continuation_token().is_some()));
        from = page.next_continuation_token().map(str::to_string);
        if from.is_none() {
            break;
        }
    }
    assert_eq!(listed, keys);
    let top = store
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .delimiter("/")
        .send()
        .await
        .expect("a list");
    let prefixes: Vec<_> = top.common_prefixes().iter().filter_map(|p| p.prefix()).collect();
    assert_eq!(prefixes, ["a/", "b/"]);
    let after = store
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("a/")
        .start_after("a/2/x");
    let after = after.send().await.expect("a list");
    assert_eq!(
        after.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(),
        ["a/2/y"]
    );
    let old = store
        .client
        .list_objects()
        .bucket(BUCKET)
        .marker("a0")
        .send()
        .await
        .expect("a list");
    assert_eq!(
        old.contents().iter().filter_map(|o| o.key()).collect::<Vec<_>>(),
        ["b/ü"]
    );
    let none = store.client.list_objects_v2().bucket("no-such-bucket").send().await;
    assert_eq!(code(none), (404, "NoSuchBucket".into()));
    let forged = store
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .continuation_token("../x")
        .send()
        .await;
    assert_eq!(code(forged), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn deleting_leaves_no_empty_folders() {
    let store = Store::start().await;
    for key in ["a/b/c", "a/b/d", "a/e", "f"] {
        store.put(key, b"x".to_vec()).await;
    }
    store
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("a/b/c")
        .send()
        .await
        .expect("deleted");
    store
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("a/b/c")
        .send()
        .await
        .expect("deleted before");
    assert_eq!(store.keys().await, ["a/b/d", "a/e", "f"]);
    let objects = ["a/b/d", "a/e", "never", "../x"].map(|k| ObjectIdentifier::builder().key(k).build().expect("a key"));
    let delete = Delete::builder()
        .set_objects(Some(objects.to_vec()))
        .build()
        .expect("keys");
    let deleted = store
        .client
        .delete_objects()
        .bucket(BUCKET)
        .delete(delete)
        .send()
        .await
        .expect("an answer");
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (4, 0));
    assert!(!store.root.path().join(BUCKET).join("a").exists());
    assert_eq!(store.keys().await, ["f"]);
}

#[tokio::test]
async fn buckets_come_and_go() {
    let store = Store::start().await;
    let (client, name) = (&store.client, "second.bucket");
    client.create_bucket().bucket(name).send().await.expect("made");
    assert_eq!(
        code(client.create_bucket().bucket(name).send().await),
        (409, "BucketAlreadyOwnedByYou".into())
    );
    let listed = client.list_buckets().send().await.expect("a list");
    assert_eq!(
        listed.buckets().iter().filter_map(|b| b.name()).collect::<Vec<_>>(),
        [BUCKET, name]
    );
    client.head_bucket().bucket(name).send().await.expect("it is there");
    client
        .put_object()
        .bucket(name)
        .key("x")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .expect("stored");
    assert_eq!(
        code(client.delete_bucket().bucket(name).send().await),
        (409, "BucketNotEmpty".into())
    );
    client
        .delete_object()
        .bucket(name)
        .key("x")
        .send()
        .await
        .expect("deleted");
    client.delete_bucket().bucket(name).send().await.expect("gone");
    assert_eq!(code(client.head_bucket().bucket(name).send().await).0, 404);
    let put = client
        .put_object()
        .bucket(name)
        .key("a/b")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await;
    assert_eq!(code(put), (404, "NoSuchBucket".into()));
    assert_eq!(store.own_files(), [""; 0]);
}

#[tokio::test]
async fn parts_become_one_object() {
    let store = Store::start().await;
    let client = &store.client;
    let create = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(KEY)
        .content_type("text/x");
    let id = create.send().await.expect("begun").upload_id.expect("an id");
    let (first, second) = (body(5 << 20), body(1000));
    let mut etags = BTreeMap::new();
    for (number, bytes) in [(2, b"replaced".to_vec()), (7, second.clone()), (2, first.clone())] {
        let part = client
            .upload_part()
            .bucket(BUCKET)
            .key(KEY)
            .upload_id(&id)
            .part_number(number);
        let part = part.body(ByteStream::from(bytes)).send().await.expect("a part");
        etags.insert(number, part.e_tag.expect("an ETag"));
    }
    let list = client
        .list_parts()
        .bucket(BUCKET)
        .key(KEY)
        .upload_id(&id)
        .send()
        .await
        .expect("a list");
    let sizes: Vec<_> = list.parts().iter().map(|p| (p.part_number(), p.size())).collect();
    assert_eq!(sizes, [(Some(2), Some(5 << 20)), (Some(7), Some(1000))]);
    let uploads = client
        .list_multipart_uploads()
        .bucket(BUCKET)
        .send()
        .await
        .expect("a list");
    assert_eq!(
        uploads.uploads().iter().filter_map(|u| u.key()).collect::<Vec<_>>(),
        [KEY]
    );
    assert_eq!(store.keys().await, [""; 0], "it is not an object yet");

    let complete = |parts: &[(i32, &str)]| {
        let part = |(n, etag): &(i32, &str)| CompletedPart::builder().part_number(*n).e_tag(*etag).build();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect()));
        let complete = client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key(KEY)
            .upload_id(&id);
        complete.multipart_upload(parts.build()).send()
    };
    let (two, seven) = (etags[&2].as_str(), etags[&7].as_str());
    assert_eq!(code(complete(&[(2, two), (2, two)]).await).1, "InvalidPartOrder");
    assert_eq!(code(complete(&[(2, seven)]).await).1, "InvalidPart");
    assert_eq!(code(complete(&[(3, two)]).await).1, "InvalidPart");
    let done = complete(&[(2, two), (7, seven)]).await.expect("complete");
    assert!(store.get(KEY).await == [first, second].concat());
    let head = client
        .head_object()
        .bucket(BUCKET)
        .key(KEY)
        .send()
        .await
        .expect("it exists");
    assert_eq!((head.content_type(), head.e_tag()), (Some("text/x"), done.e_tag()));
    assert_eq!(code(complete(&[(2, two)]).await).1, "NoSuchUpload");

    let id = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("b")
        .send()
        .await
        .expect("begun");
    let id = id.upload_id.expect("an id");
    let part = client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("b")
        .upload_id(&id)
        .part_number(1);
    let part = part
        .copy_source(format!("{BUCKET}/{KEY}"))
        .copy_source_range("bytes=5-14");
    part.send().await.expect("a part from an object");
    let small = client
        .upload_part()
        .bucket(BUCKET)
        .key("b")
        .upload_id(&id)
        .part_number(2);
    small.body(ByteStream::from_static(b"x")).send().await.expect("a part");
    let parts = [1, 2].map(|n| CompletedPart::builder().part_number(n).build()).to_vec();
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("b")
        .upload_id(&id);
    assert_eq!(code(complete.multipart_upload(parts).send().await).1, "EntityTooSmall");
    client
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("b")
        .upload_id(&id)
        .send()
        .await
        .expect("aborted");
    let gone = client.list_parts().bucket(BUCKET).key("b").upload_id(&id).send().await;
    assert_eq!(code(gone), (404, "NoSuchUpload".into()));
    let foreign = client
        .list_parts()
        .bucket(BUCKET)
        .key("b")
        .upload_id("../../headwater")
        .send()
        .await;
    assert_eq!(code(foreign), (404, "NoSuchUpload".into()));
}

/// A Python that has boto3: the distribution's own has it once `infra/packages.sh test` has run.
fn python() -> &'static str {
    let has_boto3 = |python: &&str| {
        let import = std::process::Command::new(python).args(["-c", "import boto3"]).output();
        import.is_ok_and(|o| o.status.success())
    };
    ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(has_boto3)
        .expect("no Python has boto3: run infra/packages.sh test")
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_is_content() {
    let store = Store::start().await;
    let ran = tokio::process::Command::new(python())
        .args(["-c", include_str!("boto3_client.py")])
        .arg(format!("http://{}", store.address))
        .args(["access", "secret", BUCKET])
        .kill_on_drop(true)
        .output();
    let ran = ran.await.expect("Python starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(store.unfinished(), [""; 0]);
}
