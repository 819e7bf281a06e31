//! Everything here goes through the real SDK client, in paused time.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::Full;
use tokio::time::Instant;

use crate::{MemoryS3, S3Fault, Versioning, s3_client};

const OFF: &str = "plain";
const ON: &str = "versioned";

fn s3() -> (MemoryS3, Client) {
    let s3 = MemoryS3::new().with_bucket(OFF, Versioning::Off).with_bucket(ON, Versioning::Enabled);
    let client = s3_client(&s3);
    (s3, client)
}

/// Status and code of an error that came as an answer.
fn answer<T, E>(result: Result<T, SdkError<E, HttpResponse>>) -> (u16, String)
where
    T: Debug,
    E: ProvideErrorMetadata + Debug,
{
    match result.expect_err("an error") {
        SdkError::ServiceError(err) => (err.raw().status().as_u16(), err.err().code().unwrap_or("none").to_owned()),
        err => panic!("{err:?}"),
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn read(client: &Client, bucket: &str, key: &str) -> Bytes {
    let object = client.get_object().bucket(bucket).key(key).send().await;
    let body = object.expect("an object").body.collect().await;
    body.expect("a whole body").into_bytes()
}

fn body(text: &'static str) -> ByteStream {
    ByteStream::from_static(text.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn an_object_comes_back_as_it_was_put() {
    let (s3, client) = s3();
    s3.set_chunk_size(3);
    let key = "incoming/mode=replace/a b+ü.csv";
    let put = client.put_object().bucket(ON).key(key).body(body("user,level"));
    let put = put.content_type("text/csv").metadata("import", "1").send().await.expect("put");

    let got = client.get_object().bucket(ON).key(key).send().await.expect("get");
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.version_id(), put.version_id());
    assert_eq!(got.content_length(), Some(10));
    assert_eq!(got.content_type(), Some("text/csv"));
    assert_eq!(got.metadata().and_then(|all| all.get("import")).map(String::as_str), Some("1"));
    let mut pieces = Vec::new();
    let mut stream = got.body;
    while let Some(piece) = stream.try_next().await.expect("a piece") {
        pieces.push(piece);
    }
    assert_eq!(pieces, ["use", "r,l", "eve", "l"]);

    assert_eq!(s3.get(ON, key).as_deref(), Some(&b"user,level"[..]));
    assert_eq!(s3.keys(ON, "incoming/"), [key]);
    let key = key.to_owned();
    assert_eq!(s3.calls(), [("PutObject".to_owned(), key.clone()), ("GetObject".to_owned(), key)]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_taken_as_they_are() {
    let (s3, client) = s3();
    for key in ["a//b", "/a", "folder/", "100%25.csv", "q?x=1&y#z", "a=b/c d", "\u{1f600}~'(!)*.csv"] {
        client.put_object().bucket(OFF).key(key).body(body("x")).send().await.expect("put");
        assert!(s3.get(OFF, key).is_some(), "{key}: {:?}", s3.keys(OFF, ""));
        assert_eq!(read(&client, OFF, key).await, "x");
        let list = client.list_objects_v2().bucket(OFF).prefix(key).send().await.expect("a list");
        assert_eq!(list.contents().first().and_then(|object| object.key()), Some(key));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_has_1024_bytes_at_most() {
    let (s3, client) = s3();
    let longest = "ü".repeat(512);
    client.put_object().bucket(OFF).key(&longest).body(body("x")).send().await.expect("put");
    assert_eq!(read(&client, OFF, &longest).await, "x");

    let too_long = format!("{longest}x");
    let put = client.put_object().bucket(OFF).key(&too_long).body(body("x")).send().await;
    assert_eq!(answer(put), refused(400, "KeyTooLongError"));
    let get = client.get_object().bucket(OFF).key(&too_long).send().await;
    assert_eq!(answer(get), refused(400, "KeyTooLongError"));
    let head = client.head_object().bucket(OFF).key(&too_long).send().await;
    assert_eq!(answer(head), refused(400, "none"));
    let begun = client.create_multipart_upload().bucket(OFF).key(&too_long).send().await;
    assert_eq!(answer(begun), refused(400, "KeyTooLongError"));
    assert_eq!(s3.keys(OFF, ""), [longest]);
}

#[test]
#[should_panic(expected = "KeyTooLongError")]
fn a_test_cannot_put_a_longer_key_either() {
    MemoryS3::new().with_bucket(OFF, Versioning::Off).put(OFF, &"x".repeat(1025), "x");
}

#[tokio::test(start_paused = true)]
async fn a_stored_e_tag_is_the_md5() {
    let (s3, client) = s3();
    let stored = s3.put(OFF, "a", "hello");
    assert_eq!(stored.e_tag, "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(stored.version_id, None);
    let head = client.head_object().bucket(OFF).key("a").send().await.expect("head");
    assert_eq!(head.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.version_id(), None);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_is_whole_with_the_sdks_own_checksums() {
    let (s3, client) = s3();
    let large: Bytes = (0..3_000_017_u32).map(|i| i.to_le_bytes()[0] ^ 0x5a).collect::<Vec<_>>().into();
    client.put_object().bucket(OFF).key("large").body(ByteStream::from(large.clone())).send().await.expect("put");
    s3.set_chunk_size(4099);
    assert_eq!(read(&client, OFF, "large").await, large);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_brings_its_checksum_in_a_trailer() {
    let (s3, client) = s3();
    let put = |key: &str, crc32: Option<&str>| {
        let streamed = SdkBody::from_body_1_x(Full::new(Bytes::from(vec![b'x'; 200_000])));
        let put = client.put_object().bucket(OFF).key(key).body(ByteStream::new(streamed));
        put.set_checksum_crc32(crc32.map(str::to_owned)).send()
    };
    let done = put("streamed", None).await.expect("put");
    assert_eq!(done.checksum_crc32(), Some("Ub8Ccg=="));
    assert_eq!(s3.get(OFF, "streamed").map(|bytes| bytes.len()), Some(200_000));
    assert_eq!(answer(put("spoilt", Some("AAAAAA==")).await), refused(400, "BadDigest"));
    assert_eq!(s3.get(OFF, "spoilt"), None);
}

#[tokio::test(start_paused = true)]
async fn a_range_is_a_part_of_the_object() {
    let (s3, client) = s3();
    s3.put(OFF, "a", "0123456789");
    let get = |range: &str| client.get_object().bucket(OFF).key("a").range(range).send();
    let part = get("bytes=2-4").await.expect("a part");
    assert_eq!(part.content_range(), Some("bytes 2-4/10"));
    assert_eq!(part.body.collect().await.expect("whole").into_bytes(), "234");
    let tail = get("bytes=-3").await.expect("a tail");
    assert_eq!(tail.body.collect().await.expect("whole").into_bytes(), "789");
    assert_eq!(answer(get("bytes=10-").await), refused(416, "InvalidRange"));
}

#[tokio::test(start_paused = true)]
async fn only_the_first_of_two_creates() {
    let (s3, client) = s3();
    for bucket in [OFF, ON] {
        let create = |text| {
            let put = client.put_object().bucket(bucket).key("part-1").body(body(text));
            put.if_none_match("*").send()
        };
        create("first").await.expect("created");
        assert_eq!(answer(create("second").await), refused(412, "PreconditionFailed"));
        assert_eq!(s3.get(bucket, "part-1").as_deref(), Some(&b"first"[..]));

        client.delete_object().bucket(bucket).key("part-1").send().await.expect("deleted");
        create("third").await.expect("a delete marker counts as absent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_with_if_match_needs_that_very_object() {
    let (s3, client) = s3();
    let put = |e_tag: &str| {
        let put = client.put_object().bucket(OFF).key("summary.json").body(body("new"));
        put.if_match(e_tag).send()
    };
    assert_eq!(answer(put("\"0\"").await), refused(404, "NoSuchKey"));
    let old = s3.put(OFF, "summary.json", "old");
    assert_eq!(answer(put("\"0\"").await), refused(412, "PreconditionFailed"));
    put(&format!("\"{}\"", old.e_tag)).await.expect("put");
    assert_eq!(s3.get(OFF, "summary.json").as_deref(), Some(&b"new"[..]));
}

#[tokio::test(start_paused = true)]
async fn every_version_can_be_read() {
    let (s3, client) = s3();
    let old = s3.put(ON, "a", "old");
    let new = s3.put(ON, "a", "new");
    assert_eq!(read(&client, ON, "a").await, "new");
    let get = |version: Option<String>| {
        let get = client.get_object().bucket(ON).key("a").set_version_id(version);
        get.send()
    };
    let got = get(old.version_id.clone()).await.expect("the old one");
    assert_eq!(got.version_id(), old.version_id.as_deref());
    assert_eq!(got.body.collect().await.expect("whole").into_bytes(), "old");
    assert_eq!(answer(get(Some("no-such".to_owned())).await), refused(404, "NoSuchVersion"));

    let deleted = client.delete_object().bucket(ON).key("a").send().await.expect("deleted");
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(answer(get(None).await), refused(404, "NoSuchKey"));
    let marker = deleted.version_id().map(str::to_owned);
    assert_eq!(answer(get(marker.clone()).await), refused(405, "MethodNotAllowed"));
    assert!(s3.keys(ON, "").is_empty());

    client.delete_object().bucket(ON).key("a").set_version_id(marker).send().await.expect("undeleted");
    assert_eq!(get(None).await.expect("back").version_id(), new.version_id.as_deref());
}

#[tokio::test(start_paused = true)]
async fn a_version_can_be_gone_for_good() {
    let (s3, client) = s3();
    let [old, new] = ["old", "new"].map(|text| s3.put(ON, "a", text).version_id.expect("a version"));
    s3.delete_version(ON, "a", &new);
    assert_eq!(read(&client, ON, "a").await, "old");
    let get = client.get_object().bucket(ON).key("a").version_id(&new).send().await;
    assert_eq!(answer(get), refused(404, "NoSuchVersion"));

    let marker = client.delete_object().bucket(ON).key("a").send().await.expect("deleted");
    s3.delete_version(ON, "a", marker.version_id().expect("a version"));
    assert_eq!(read(&client, ON, "a").await, "old");
    s3.delete_version(ON, "a", &old);
    let get = client.get_object().bucket(ON).key("a").send().await;
    assert_eq!(answer(get), refused(404, "NoSuchKey"));
}

#[test]
#[should_panic(expected = "NoSuchVersion")]
fn a_version_to_delete_has_to_be_there() {
    let s3 = MemoryS3::new().with_bucket(ON, Versioning::Enabled);
    s3.put(ON, "a", "x");
    s3.delete_version(ON, "a", "no-such");
}

#[tokio::test(start_paused = true)]
async fn a_get_with_if_match_is_of_that_very_object() {
    let (s3, client) = s3();
    let first = s3.put(OFF, "a", "first");
    let get = || {
        let get = client.get_object().bucket(OFF).key("a");
        get.if_match(format!("\"{}\"", first.e_tag)).send()
    };
    get().await.expect("unchanged");
    s3.put(OFF, "a", "second");
    assert_eq!(answer(get().await), refused(412, "PreconditionFailed"));
    let head = client.head_object().bucket(OFF).key("a").if_match("\"0\"").send().await;
    assert_eq!(answer(head), refused(412, "none"));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_says_what_is_missing() {
    let (_s3, client) = s3();
    let get = |bucket| client.get_object().bucket(bucket).key("a").send();
    let key = get(OFF).await;
    assert!(matches!(&key, Err(err) if err.as_service_error().is_some_and(GetObjectError::is_no_such_key)));
    assert_eq!(answer(key), refused(404, "NoSuchKey"));
    assert_eq!(answer(get("nowhere").await), refused(404, "NoSuchBucket"));
    let list = client.list_objects_v2().bucket("nowhere").send().await;
    assert_eq!(answer(list), refused(404, "NoSuchBucket"));
    let put = client.put_object().bucket("nowhere").key("a").body(body("")).send().await;
    assert_eq!(answer(put), refused(404, "NoSuchBucket"));
    // A HEAD has no body that could say more.
    let head = client.head_object().bucket(OFF).key("a").send().await;
    assert!(matches!(&head, Err(err) if err.as_service_error().is_some_and(HeadObjectError::is_not_found)));
    assert_eq!(answer(head), refused(404, "NotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages() {
    let (s3, client) = s3();
    for key in ["a/1", "a/2", "a/b/3", "a/b/4", "a/c/5", "a/6", "b"] {
        s3.put(ON, key, "x");
    }
    s3.delete(ON, "a/2");
    let mut pages = client.list_objects_v2().bucket(ON).prefix("a/").max_keys(2).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        keys.push(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect::<Vec<_>>());
    }
    assert_eq!(keys, [vec!["a/1", "a/6"], vec!["a/b/3", "a/b/4"], vec!["a/c/5"]]);

    let mut pages = client.list_objects_v2().bucket(ON).prefix("a/").delimiter("/").max_keys(3).into_paginator().send();
    let first = pages.next().await.expect("a page").expect("a page");
    assert_eq!(first.key_count(), Some(3));
    let folders: Vec<_> = first.common_prefixes().iter().filter_map(|folder| folder.prefix()).collect();
    assert_eq!(folders, ["a/b/"]);
    let second = pages.next().await.expect("a page").expect("a page");
    let folders: Vec<_> = second.common_prefixes().iter().filter_map(|folder| folder.prefix()).collect();
    assert_eq!(folders, ["a/c/"]);
    assert!(second.contents().is_empty());
    assert!(pages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_newest_object_can_be_told() {
    let (s3, client) = s3();
    s3.put(OFF, "z", "older");
    s3.put(OFF, "b", "newer");
    let year_2040 = SystemTime::UNIX_EPOCH + Duration::from_secs(2_208_988_800);
    s3.put_at(OFF, "a", "newest", year_2040);
    let list = client.list_objects_v2().bucket(OFF).send().await.expect("a list");
    let mut objects = list.contents().to_vec();
    objects.sort_by_key(|object| object.last_modified().copied());
    let keys: Vec<_> = objects.iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["z", "b", "a"]);
    let head = client.head_object().bucket(OFF).key("a").send().await.expect("head");
    assert_eq!(head.last_modified(), Some(&DateTime::from(year_2040)));
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_of_the_version_and_object_asked_for() {
    let (s3, client) = s3();
    let old = s3.put(ON, "a b+ü.csv", "old");
    s3.put(ON, "a b+ü.csv", "new");
    let copy = |source: String, e_tag: &str| {
        let copy = client.copy_object().bucket(OFF).key("state/source").copy_source(source);
        copy.copy_source_if_match(e_tag.to_owned()).send()
    };
    let key = "a%20b%2B%C3%BC.csv";
    let version = old.version_id.as_deref().expect("a version");
    let e_tag = format!("\"{}\"", old.e_tag);
    let done = copy(format!("{ON}/{key}?versionId={version}"), &e_tag).await.expect("copied");
    assert_eq!(done.copy_source_version_id(), Some(version));
    assert_eq!(s3.get(OFF, "state/source").as_deref(), Some(&b"old"[..]));

    let changed = copy(format!("{ON}/{key}"), &e_tag).await;
    assert_eq!(answer(changed), refused(412, "PreconditionFailed"));
    assert_eq!(answer(copy(format!("{ON}/gone"), &e_tag).await), refused(404, "NoSuchKey"));
    let again = client
        .copy_object()
        .bucket(OFF)
        .key("state/source")
        .copy_source(format!("{ON}/{key}"))
        .if_none_match("*")
        .send()
        .await;
    assert_eq!(answer(again), refused(412, "PreconditionFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_delete_with_if_match_needs_that_very_object() {
    let (s3, client) = s3();
    let stored = s3.put(OFF, "a", "x");
    let delete = |e_tag: String| client.delete_object().bucket(OFF).key("a").if_match(e_tag).send();
    assert_eq!(answer(delete("\"0\"".to_owned()).await), refused(412, "PreconditionFailed"));
    delete(format!("\"{}\"", stored.e_tag)).await.expect("deleted");
    assert_eq!(s3.get(OFF, "a"), None);
    client.delete_object().bucket(OFF).key("a").send().await.expect("nothing to delete is no error");
}

struct Multipart<'a> {
    client: &'a Client,
    upload_id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> Multipart<'a> {
    const KEY: &'static str = "reports/results.csv";

    async fn begin(client: &'a Client) -> Self {
        let begun = client.create_multipart_upload().bucket(OFF).key(Self::KEY).send().await;
        Self { client, upload_id: begun.expect("begun").upload_id().expect("an id").to_owned(), parts: Vec::new() }
    }

    async fn part(&mut self, bytes: Bytes) {
        let number = i32::try_from(self.parts.len()).expect("few") + 1;
        let put = self
            .client
            .upload_part()
            .bucket(OFF)
            .key(Self::KEY)
            .upload_id(&self.upload_id)
            .part_number(number)
            .body(ByteStream::from(bytes));
        let put = put.send().await.expect("a part");
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(put.e_tag().map(str::to_owned)).build());
    }

    fn complete(
        &self,
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone()));
        let complete = self.client.complete_multipart_upload().bucket(OFF).key(Self::KEY);
        complete.upload_id(&self.upload_id).multipart_upload(parts.build())
    }
}

#[tokio::test(start_paused = true)]
async fn parts_make_an_object() {
    let (s3, client) = s3();
    let mut upload = Multipart::begin(&client).await;
    upload.part(vec![b'a'; 5 * 1024 * 1024].into()).await;
    upload.part("the rest".into()).await;
    assert_eq!(s3.get(OFF, Multipart::KEY), None);
    assert_eq!(s3.open_uploads(OFF), [Multipart::KEY]);

    let done = upload.complete().if_none_match("*").send().await.expect("completed");
    let e_tag = done.e_tag().expect("an ETag").to_owned();
    assert!(e_tag.starts_with('"') && e_tag.ends_with("-2\""), "{e_tag}");
    assert!(s3.open_uploads(OFF).is_empty());
    assert_eq!(read(&client, OFF, Multipart::KEY).await.len(), 5 * 1024 * 1024 + 8);
    assert_eq!(answer(upload.complete().send().await), refused(404, "NoSuchUpload"));

    let mut second = Multipart::begin(&client).await;
    second.part("short".into()).await;
    let lost = second.complete().if_none_match("*").send().await;
    assert_eq!(answer(lost), refused(412, "PreconditionFailed"));
    assert_eq!(answer(second.complete().if_match("\"0\"").send().await), refused(412, "PreconditionFailed"));
    second.complete().if_match(e_tag).send().await.expect("completed");
    assert_eq!(s3.get(OFF, Multipart::KEY).as_deref(), Some(&b"short"[..]));
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_too_small_or_out_of_order_are_refused() {
    let (s3, client) = s3();
    let mut upload = Multipart::begin(&client).await;
    upload.part("small".into()).await;
    upload.part("last".into()).await;
    assert_eq!(answer(upload.complete().send().await), refused(400, "EntityTooSmall"));
    upload.parts.reverse();
    assert_eq!(answer(upload.complete().send().await), refused(400, "InvalidPartOrder"));
    upload.parts = vec![CompletedPart::builder().part_number(3).e_tag("\"0\"").build()];
    assert_eq!(answer(upload.complete().send().await), refused(400, "InvalidPart"));

    let abort = client.abort_multipart_upload().bucket(OFF).key(Multipart::KEY);
    abort.upload_id(&upload.upload_id).send().await.expect("aborted");
    assert!(s3.open_uploads(OFF).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_not_retried_and_the_others_are() {
    let (s3, client) = s3();
    let put = |key: &str| client.put_object().bucket(OFF).key(key).body(body("x")).if_none_match("*").send();

    s3.fail_next("PutObject", Some("conf"), S3Fault::Conflict409);
    assert_eq!(answer(put("conflict").await), refused(409, "ConditionalRequestConflict"));
    put("conflict").await.expect("only the next one failed");
    assert_eq!(s3.calls().len(), 2);
    s3.clear_calls();

    s3.fail_next("PutObject", None, S3Fault::Internal500);
    s3.fail_next("PutObject", None, S3Fault::SlowDown503);
    put("retried").await.expect("the third attempt");
    assert_eq!(s3.calls().len(), 3);

    for _ in 0..3 {
        s3.fail_next("PutObject", None, S3Fault::SlowDown503);
    }
    assert_eq!(answer(put("given up").await), refused(503, "SlowDown"));
}

#[tokio::test(start_paused = true)]
async fn the_sdks_retry_of_a_lost_answer_meets_its_own_object() {
    let (s3, client) = s3();
    s3.fail_next("PutObject", None, S3Fault::DoneThen500);
    let put = client.put_object().bucket(OFF).key("part-1").body(body("x")).if_none_match("*");
    assert_eq!(answer(put.send().await), refused(412, "PreconditionFailed"));
    assert_eq!(s3.get(OFF, "part-1").as_deref(), Some(&b"x"[..]));
    assert_eq!(s3.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cut_body_is_an_error_to_the_reader() {
    let (s3, client) = s3();
    s3.put(OFF, "a", "0123456789");
    s3.set_chunk_size(4);
    s3.fail_next("GetObject", None, S3Fault::CutBody { after: 6 });
    let mut stream = client.get_object().bucket(OFF).key("a").send().await.expect("begun").body;
    let mut arrived = Vec::new();
    let err = loop {
        match stream.try_next().await {
            Ok(Some(piece)) => arrived.extend_from_slice(&piece),
            Ok(None) => panic!("the body ended as if it were whole"),
            Err(err) => break err,
        }
    };
    assert_eq!(arrived, b"012345");
    let sources = std::iter::successors(Some(&err as &dyn std::error::Error), |err| err.source());
    let texts: Vec<_> = sources.map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("in the middle")), "{texts:?}");
    assert_eq!(read(&client, OFF, "a").await, "0123456789");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_is_slow_in_tokios_time() {
    let (s3, client) = s3();
    s3.set_latency(Duration::from_millis(50));
    s3.fail_next("PutObject", None, S3Fault::Slow(Duration::from_secs(120)));
    let began = Instant::now();
    let put = client.put_object().bucket(OFF).key("a").body(body("x")).send();
    put.await.expect("late, but put");
    assert_eq!(began.elapsed().as_secs(), 120);
    let began = Instant::now();
    assert_eq!(read(&client, OFF, "a").await, "x");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_has_its_status_and_where_there_is_a_body_its_code() {
    let (s3, client) = s3();
    s3.put(OFF, "a", "x");
    let faults = [
        (S3Fault::PermanentRedirect301, 301, "PermanentRedirect"),
        (S3Fault::InvalidRequest400, 400, "InvalidRequest"),
        (S3Fault::AccessDenied403, 403, "AccessDenied"),
        (S3Fault::InvalidObjectState403, 403, "InvalidObjectState"),
        (S3Fault::NoSuchBucket404, 404, "NoSuchBucket"),
        (S3Fault::ServiceUnavailable503, 503, "ServiceUnavailable"),
    ];
    for (fault, status, code) in faults {
        for op in ["GetObject", "HeadObject", "PutObject"] {
            s3.fail_always(op, None, fault);
        }
        let get = client.get_object().bucket(OFF).key("a").send().await;
        assert_eq!(answer(get), refused(status, code));
        let put = client.put_object().bucket(OFF).key("a").body(body("y")).send().await;
        assert_eq!(answer(put), refused(status, code));
        // The SDK makes its one word for a HEAD of the status alone.
        let head = client.head_object().bucket(OFF).key("a").send().await;
        assert_eq!(answer(head), refused(status, if status == 404 { "NotFound" } else { "none" }));
        s3.heal();
        assert_eq!(read(&client, OFF, "a").await, "x");
    }
}

#[tokio::test(start_paused = true)]
async fn what_always_fails_does_so_until_it_is_healed() {
    let (s3, client) = s3();
    s3.put(OFF, "a", "x");
    s3.put(OFF, "b", "y");
    let get = || client.get_object().bucket(OFF).key("a").send();
    s3.fail_always("GetObject", Some("a"), S3Fault::ServiceUnavailable503);
    s3.fail_next("GetObject", Some("a"), S3Fault::AccessDenied403);
    assert_eq!(answer(get().await), refused(403, "AccessDenied"), "the order for one call comes first");
    s3.clear_calls();
    for _ in 0..2 {
        assert_eq!(answer(get().await), refused(503, "ServiceUnavailable"));
    }
    assert_eq!(s3.calls().len(), 6, "three attempts each");
    assert_eq!(read(&client, OFF, "b").await, "y");

    s3.fail_next("GetObject", None, S3Fault::AccessDenied403);
    s3.heal();
    assert_eq!(read(&client, OFF, "a").await, "x");
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_take_its_time() {
    let (s3, client) = s3();
    s3.put(OFF, "a", "0123456789");
    s3.set_chunk_size(1);
    let get = client.get_object().bucket(OFF).key("a").send();
    let mut stream = get.await.expect("begun").body;
    let mut n_bytes = 0;
    while let Some(piece) = stream.try_next().await.expect("a piece") {
        n_bytes += piece.len();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(n_bytes, 10);
}
