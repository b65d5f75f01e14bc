//! What becomes of a broadcast when publishers, workers, the scheduler and the edge come and go.

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_model::proto::edge::pull_event::Kind;
use headwater_model::proto::scheduler::report_publisher_request::State as Publishing;
use headwater_model::{BroadcastId, ChannelId};
use support::farm::Books;
use support::{Stage, Worker, soon};
use tonic::Code;

const SECOND: i64 = 90_000;

/// The numbers that the encoder wrote into the pictures.
fn numbers(worker: &Worker) -> Vec<u32> {
    let number = |data: &[u8]| u32::from_be_bytes(*data[8..].first_chunk().expect("a picture")) & 0x7fff_ffff;
    worker.of(0).map(|u| number(&u.data)).collect()
}

#[tokio::test]
async fn a_broadcast_goes_through_whole_and_is_settled_by_its_last_acknowledgement() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(75).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 70).await;
    let sounds = encoder.sound as usize;
    encoder.finish(&stage.farm.key(1)).await;
    assert_eq!(worker.until_end().await, "the publisher ended the broadcast");
    assert_eq!(numbers(&worker), (0..75).collect::<Vec<_>>());
    assert_eq!(worker.audios(), sounds);
    assert_eq!((worker.epochs.len(), worker.lost), (1, 0));
    assert_eq!(worker.epochs[0].start_90k, 0);
    let report = stage.farm.reported(Publishing::Ended).await;
    assert_eq!(report.broadcast_id, stage.farm.opened(0).await.to_string());
    worker.ack(10 * SECOND).await;
    assert!(
        worker.next().await.expect("no error").is_none(),
        "the link closes when everything is stored"
    );
    stage.stop().await;
}

#[tokio::test]
async fn an_ended_broadcast_is_kept_until_acknowledged_or_known_to_be_over() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    encoder.finish(&stage.farm.key(1)).await;
    worker.until_end().await;
    // Its last acknowledgement never arrives.
    drop(worker);
    stage.farm.when("the end told twice", |b| b.reports.len() >= 2).await;
    let id = stage.farm.opened(0).await;
    let mut again = stage.worker(0, 1, 0).await;
    again.until_end().await;
    assert_eq!(
        again.videos(),
        50,
        "a worker that was not finished gets it all once more"
    );
    drop(again);
    stage.farm.set(|b| b.finished = true);
    let forgotten = async {
        loop {
            match Worker::try_open(stage.link, &id, 1, 0).await {
                Err(status) => return status.code(),
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(soon("the edge to forget it", forgotten).await, Code::NotFound);
    assert!(
        stage
            .farm
            .books
            .borrow()
            .reports
            .iter()
            .all(|r| r.state() == Publishing::Ended)
    );
    stage.stop().await;
}

#[tokio::test]
async fn what_the_scheduler_is_told_describes_the_source() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let books = stage.farm.when("an open", |b| !b.opens.is_empty()).await;
    let (_, open) = &books.opens[0];
    assert_eq!(open.tracks.iter().map(|t| t.id).collect::<Vec<_>>(), [0, 128]);
    assert_eq!(open.tracks[0].timescale, 90_000);
    assert_eq!(open.tracks[1].timescale, 48_000);
    assert!(open.publish_id.starts_with("pub_"));
    assert!(open.edge_url.starts_with("http://"));
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as i64;
    assert!((now_ms - open.start_wallclock_ms).abs() < 30_000);
    stage.stop().await;
}

#[tokio::test]
async fn l2_a_newer_publisher_takes_over_and_continues_the_broadcast() {
    let stage = Stage::new().await;
    let mut first = stage.live().await;
    first.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 45).await;
    let mut second = stage.live().await;
    second.play(50).await;
    let status = first.status().await.expect("a reason");
    assert_eq!(
        (status.level.as_str(), status.code.as_str()),
        ("error", "NetStream.Publish.BadName")
    );
    assert!(status.description.contains("taken over"), "{status:?}");
    worker.until("the second epoch", |w, _| w.epochs.len() == 2).await;
    assert_eq!(worker.epochs[1].cause, "reconnect");
    worker.until_units(0, 50 + 45).await;
    assert_eq!(stage.farm.books.borrow().reports.len(), 0, "nobody was away");
    stage.stop().await;
}

#[tokio::test]
async fn l1_a_publisher_that_drops_and_returns_continues_its_broadcast() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 45).await;
    encoder.drop_connection();
    worker.until_paused().await;
    assert_eq!(numbers(&worker), (0..50).collect::<Vec<_>>(), "what was sent is there");
    stage.farm.reported(Publishing::Away).await;
    let mut again = stage.live().await;
    again.play(50).await;
    again.finish(&stage.farm.key(1)).await;
    worker.until_end().await;
    assert_eq!(worker.videos(), 100);
    assert_eq!(worker.epochs.len(), 2);
    let (first, second) = (&worker.epochs[0], &worker.epochs[1]);
    let anchor = |e: &headwater_model::proto::media::Epoch| e.wallclock_ms - e.start_90k / 90;
    assert!((anchor(first) - anchor(second)).abs() <= 1, "one anchor for both");
    let books = stage.farm.when("both opens", |b| b.opens.len() == 2).await;
    assert_eq!(books.opens[0].0, books.opens[1].0);
    assert_ne!(books.opens[0].1.publish_id, books.opens[1].1.publish_id);
    stage.stop().await;
}

#[tokio::test]
async fn a14_an_encoder_that_closes_its_half_has_ended_its_publish() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    encoder.half_close().await;
    worker.until_paused().await;
    assert_eq!(numbers(&worker), (0..50).collect::<Vec<_>>(), "what was sent is there");
    stage.farm.reported(Publishing::Away).await;
    soon("the edge to close its half", encoder.closed()).await;
    let mut again = stage.live().await;
    again.play(25).await;
    worker.until("the second epoch", |w, _| w.epochs.len() == 2).await;
    stage.stop().await;
}

#[tokio::test]
async fn a15_a_reset_amid_a_message_costs_that_message_alone() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    let mut neighbour = stage.encoder().await;
    neighbour.publish(&stage.farm.key(2)).await.started();
    neighbour.headers().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 45).await;
    encoder.drop_amid_a_picture().await;
    worker.until_paused().await;
    assert_eq!(
        numbers(&worker),
        (0..50).collect::<Vec<_>>(),
        "every whole message is there"
    );
    stage.farm.reported(Publishing::Away).await;
    // Its broadcast goes on with whoever comes back, and others never noticed.
    let mut again = stage.live().await;
    again.play(50).await;
    again.finish(&stage.farm.key(1)).await;
    worker.until_end().await;
    assert_eq!(worker.videos(), 100);
    let channel = ChannelId::numbered(1).to_string();
    let opens = |b: &Books| b.opens.iter().filter(|(_, open)| open.channel_id == channel).count();
    stage.farm.when("both opens of its channel", |b| opens(b) == 2).await;
    neighbour.play(25).await;
    stage.stop().await;
}

#[tokio::test]
async fn l7_a_publisher_that_stays_away_ends_the_broadcast_and_the_next_one_begins_another() {
    let stage = Stage::new().await;
    stage.farm.set(|b| b.reconnect_window_s = 1);
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    encoder.drop_connection();
    assert_eq!(worker.until_end().await, "the publisher did not come back");
    assert_eq!(worker.pauses, 1);
    stage.farm.reported(Publishing::Ended).await;
    let mut next = stage.live().await;
    next.play(50).await;
    assert_ne!(stage.farm.opened(1).await, stage.farm.opened(0).await);
    let mut worker = stage.worker(1, 1, 0).await;
    worker.until_units(0, 45).await;
    assert_eq!(worker.epochs[0].index, 0);
    stage.stop().await;
}

#[tokio::test]
async fn the_end_is_told_before_the_channel_opens_again() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    stage.farm.opened(0).await;
    stage.farm.set(|b| b.scheduler_down = true);
    encoder.finish(&stage.farm.key(1)).await;
    let mut next = stage.live().await;
    next.play(50).await;
    stage.farm.set(|b| b.scheduler_down = false);
    let second = stage.farm.opened(1).await;
    let reports = stage.farm.books.borrow().reports.clone();
    assert_eq!(reports.last().map(|r| r.state()), Some(Publishing::Ended), "told first");
    assert_ne!(second, stage.farm.opened(0).await);
    stage.stop().await;
}

#[tokio::test]
async fn l10_a_silent_publisher_is_told_and_closed() {
    let stage = Stage::with(&["--ingest-media-timeout-ms", "300"]).await;
    let mut mute = stage.encoder().await;
    mute.publish(&stage.farm.key(2)).await.started();
    let status = mute.status().await.expect("a reason");
    assert_eq!(status.code, "NetStream.Publish.Rejected");
    assert!(status.description.contains("No audio or video"), "{status:?}");
    mute.closed().await;
    let mut fading = stage.live().await;
    fading.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_paused().await;
    assert_eq!(worker.videos(), 50);
    fading.closed().await;
    assert!(
        stage
            .farm
            .reported(Publishing::Away)
            .await
            .reason
            .contains("No audio or video")
    );
    stage.stop().await;
}

#[tokio::test]
async fn media_waits_for_a_scheduler_that_is_down() {
    let stage = Stage::new().await;
    stage.farm.set(|b| b.scheduler_down = true);
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    encoder.drop_connection();
    let mut again = stage.live().await;
    again.play(50).await;
    again.finish(&stage.farm.key(1)).await;
    stage.farm.set(|b| b.scheduler_down = false);
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_end().await;
    assert_eq!(worker.videos(), 100);
    assert_eq!((worker.epochs.len(), worker.lost), (2, 0));
    stage.stop().await;
}

#[tokio::test]
async fn l6_a_broadcast_that_began_on_another_edge_continues_on_its_timeline() {
    let stage = Stage::new().await;
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as i64;
    stage.farm.set(|b| b.continues = Some((now_ms - 100_000, 5)));
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut worker = stage.worker(0, 2, 0).await;
    worker.until_units(0, 45).await;
    let epoch = worker.epochs[0].clone();
    assert_eq!((epoch.index, epoch.cause.as_str()), (5, "reconnect"));
    assert!((100 * SECOND..130 * SECOND).contains(&epoch.start_90k), "{epoch:?}");
    assert!(worker.of(0).all(|u| u.pts >= epoch.start_90k));
    encoder.play(25).await;
    worker.until_units(0, 70).await;
    assert!(worker.of(128).all(|u| u.pts * 90 / 48 >= epoch.start_90k - SECOND));
    stage.stop().await;
}

#[tokio::test]
async fn a_killed_worker_s_successor_gets_every_unit_from_the_acknowledged_position_once() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(100).await;
    let mut first = stage.worker(0, 1, 0).await;
    first.until_units(0, 95).await;
    let durable = first.of(0).filter(|u| u.key).nth(2).expect("three GOPs").pts;
    first.ack(durable).await;
    drop(first);
    encoder.play(50).await;
    encoder.finish(&stage.farm.key(1)).await;
    let mut second = stage.worker(0, 2, durable).await;
    second.until_end().await;
    assert_eq!(numbers(&second), (50..150).collect::<Vec<_>>());
    assert_eq!(second.lost, 0);
    assert!(second.of(128).all(|u| u.pts * 90_000 / 48_000 >= durable));
    let audios: Vec<i64> = second.of(128).map(|u| u.pts).collect();
    assert!(
        audios.windows(2).all(|w| (w[1] - w[0] - 1024).abs() <= 48),
        "no hole in the sound: {audios:?}"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_higher_generation_fences_the_worker_that_pulls() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let mut old = stage.worker(0, 3, 0).await;
    old.until_units(0, 45).await;
    let mut new = stage.worker(0, 4, 0).await;
    new.until_units(0, 45).await;
    let fenced = loop {
        match old.next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(fenced.err().map(|s| s.code()), Some(Code::Aborted));
    let id = stage.farm.opened(0).await;
    let late = Worker::try_open(stage.link, &id, 3, 0).await;
    assert_eq!(late.err().map(|s| s.code()), Some(Code::Aborted));
    let unknown = Worker::try_open(stage.link, &BroadcastId::numbered(99), 1, 0).await;
    assert_eq!(unknown.err().map(|s| s.code()), Some(Code::NotFound));
    encoder.play(25).await;
    new.until_units(0, 70).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_full_buffer_loses_its_oldest_gops_and_says_so() {
    let stage = Stage::with(&["--replay-buffer-bytes-max", "65536"]).await;
    let mut encoder = stage.live().await;
    encoder.play(175).await;
    encoder.finish(&stage.farm.key(1)).await;
    stage.farm.reported(Publishing::Ended).await;
    let mut worker = stage.worker(0, 1, 0).await;
    let mut lost = None;
    worker
        .until("the end", |_, kind| {
            if let Kind::Lost(told) = kind {
                lost = Some(*told);
            }
            matches!(kind, Kind::End(_))
        })
        .await;
    let lost = lost.expect("told of the loss");
    assert_eq!(lost.from_90k, 0);
    let left = numbers(&worker);
    assert!(left.len() >= 25 && left.len() <= 100, "{} pictures left", left.len());
    assert!(left[0].is_multiple_of(25), "from an IDR on");
    assert_eq!(left.last(), Some(&174));
    assert!(left.windows(2).all(|w| w[1] == w[0] + 1));
    assert!(
        (lost.to_90k - i64::from(left[0]) * 3_600).abs() < SECOND / 5,
        "{lost:?}"
    );
    stage.stop().await;
}

#[tokio::test]
async fn j8_a_publisher_above_its_bit_rate_is_told_and_closed() {
    let stage = Stage::new().await;
    stage.farm.set(|b| b.bitrate_max_bps = 64_000);
    let mut encoder = stage.live().await;
    encoder.play(175).await;
    let status = encoder.status().await.expect("a reason");
    assert_eq!(status.code, "NetStream.Publish.Rejected");
    assert!(status.description.contains("64 kbit/s"), "{status:?}");
    stage.stop().await;
}

#[tokio::test]
async fn l11_a_key_revoked_while_live_ends_the_broadcast() {
    let stage = Stage::with(&["--ingest-key-recheck-s", "1"]).await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    stage.farm.opened(0).await;
    stage.farm.set(|b| b.revoked.push(1));
    // Answers count for a few seconds, so the edge learns it a little later.
    let status = encoder.status().await.expect("a reason");
    assert_eq!(status.code, "NetStream.Publish.Denied");
    let report = stage.farm.reported(Publishing::Ended).await;
    assert!(report.reason.contains("revoked"), "{report:?}");
    stage.stop().await;
}

#[tokio::test]
async fn d20_a_key_whose_tenant_is_suspended_while_live_ends_its_broadcast_alone() {
    let stage = Stage::with(&["--ingest-key-recheck-s", "1"]).await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let first = stage.farm.opened(0).await;
    let mut neighbour = stage.encoder().await;
    neighbour.publish(&stage.farm.key(2)).await.started();
    neighbour.headers().await;
    neighbour.play(50).await;
    assert_ne!(stage.farm.opened(1).await, first);
    let sentence = "This account is suspended, so it cannot go live.";
    stage
        .farm
        .set(|b| b.denied.push((1, tonic::Code::PermissionDenied, sentence)));
    let status = encoder.status().await.expect("a reason");
    assert_eq!(
        (status.code.as_str(), status.description.as_str()),
        ("NetStream.Publish.Denied", sentence)
    );
    let report = stage.farm.reported(Publishing::Ended).await;
    assert!(report.reason.contains("suspended"), "{report:?}");
    neighbour.play(25).await;
    let mut worker = stage.worker(1, 1, 0).await;
    worker.until_units(0, 70).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_broadcast_that_its_owner_ends_is_closed_and_the_key_begins_another() {
    let stage = Stage::with(&["--ingest-key-recheck-s", "1"]).await;
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let first = stage.farm.opened(0).await;
    stage.farm.set(|b| b.closed = true);
    let status = encoder.status().await.expect("a reason");
    assert_eq!(status.code, "NetStream.Publish.Rejected");
    assert!(status.description.contains("ended by its owner"), "{status:?}");
    stage.farm.reported(Publishing::Ended).await;
    stage.farm.set(|b| b.closed = false);
    let mut encoder = stage.live().await;
    encoder.play(50).await;
    let second = stage.farm.opened(1).await;
    assert_ne!(first, second);
    stage.stop().await;
}

#[tokio::test]
async fn l3_encoders_that_fight_for_a_channel_are_stopped_and_the_newest_stays() {
    let stage = Stage::new().await;
    let mut last = stage.live().await;
    last.play(25).await;
    for _ in 0..3 {
        let mut next = stage.live().await;
        next.play(25).await;
        assert_eq!(last.status().await.expect("a reason").code, "NetStream.Publish.BadName");
        last = next;
    }
    let mut another = stage.encoder().await;
    let status = another.publish(&stage.farm.key(1)).await;
    assert_eq!(status.code, "NetStream.Publish.BadName");
    assert!(status.description.contains("Another encoder is live"), "{status:?}");
    last.play(25).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until("the fourth epoch", |w, _| w.epochs.len() == 4).await;
    stage.stop().await;
}

#[tokio::test]
async fn i16_a_file_sent_at_full_speed_is_slowed_to_real_time_and_kept_whole() {
    let stage = Stage::with(&["--ingest-burst-ms", "1000", "--ingest-media-timeout-ms", "1500"]).await;
    let mut encoder = stage.live().await;
    let begun = std::time::Instant::now();
    encoder.play(50).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 45).await;
    // Two seconds were taken of the one that may run ahead: the edge does not read for a second.
    encoder.play(75).await;
    worker.until_units(0, 100).await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    let key = stage.farm.key(1);
    encoder.finish(&key).await;
    worker.until_end().await;
    assert_eq!(numbers(&worker), (0..125).collect::<Vec<_>>());
    stage.stop().await;
}

#[tokio::test]
async fn l15_an_edge_that_stops_lets_workers_take_what_it_holds() {
    let stage = Stage::new().await;
    let mut encoder = stage.live().await;
    encoder.play(100).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_units(0, 25).await;
    let pulled = tokio::spawn(async move {
        worker.until_paused().await;
        worker.videos()
    });
    let farm = stage.farm.clone();
    stage.stop().await;
    assert_eq!(soon("the rest", pulled).await.expect("no panic"), 100);
    assert_eq!(farm.reported(Publishing::Away).await.reason, "the edge stops");
    encoder.closed().await;
}

#[tokio::test]
async fn hostile_bytes_on_one_connection_do_not_disturb_another() {
    let stage = Stage::new().await;
    let mut honest = stage.live().await;
    honest.play(25).await;
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..20u64 {
        let mut hostile = stage.encoder().await;
        if round % 2 == 0 {
            hostile.publish(&stage.farm.key(2)).await.started();
        }
        let noise: Vec<u8> = (0..50_000)
            .map(|_| {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        // The edge may hang up at any byte.
        let _ = hostile.raw(&noise).await;
        hostile.drop_connection();
    }
    honest.play(25).await;
    let key = stage.farm.key(1);
    honest.finish(&key).await;
    let mut worker = stage.worker(0, 1, 0).await;
    worker.until_end().await;
    assert_eq!(numbers(&worker), (0..50).collect::<Vec<_>>());
    stage.stop().await;
}
