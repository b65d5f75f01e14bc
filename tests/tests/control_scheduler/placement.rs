//! Where broadcasts run, and who takes them over.

use futures::StreamExt as _;
use futures::future::join_all;
use headwater_api::channel;
use headwater_model::heartbeat::{Capacity, PLAYBACK_TOPIC};
use headwater_model::ladder::Policy;
use headwater_model::proto::api::resolve_response::State as Shown;
use headwater_model::proto::scheduler::OpenBroadcastRequest;
use headwater_model::proto::scheduler::report_publisher_request::State;
use headwater_model::{BroadcastId, PublishId, TenantId};
use headwater_platform::hints::HintsConfig;
use headwater_tests::farm::{SimWorker, assert_refused, until, video_track};
use tonic::Code;

use super::{Outcome, Stage, id};

#[tokio::test]
async fn a_broadcast_connects_until_it_can_be_watched_and_its_owner_ends_it() -> Outcome {
    let stage = Stage::set(60).await?;
    let worker = stage.worker().await?;
    let publish = PublishId::random();
    let broadcast = id(&stage.open(publish, "http://edge-1:7003").await??)?;
    worker.assigned(|_| true).await?;
    assert_eq!(stage.kept(broadcast).await?.0, "connecting");
    // Who leaves and comes back before anything could be watched connects again.
    stage.report(broadcast, publish, State::Away).await?;
    assert_eq!(stage.kept(broadcast).await?.0, "reconnecting");
    stage.report(broadcast, publish, State::Live).await?;
    assert_eq!(stage.kept(broadcast).await?.0, "connecting");
    assert_refused(stage.playable(broadcast, 2).await, Code::Aborted, "generation 1")?;
    assert_eq!(stage.kept(broadcast).await?.0, "connecting");
    stage.playable(broadcast, 1).await?;
    stage.playable(broadcast, 1).await?;
    assert_eq!(stage.kept(broadcast).await?.0, "live");
    stage.report(broadcast, publish, State::Away).await?;
    stage.report(broadcast, publish, State::Live).await?;
    assert_eq!(stage.kept(broadcast).await?.0, "live", "it could be watched before");

    let ask = "insert into broadcast_end (broadcast_id, tenant_id) values ($1, $2)";
    sqlx::query(ask)
        .bind(broadcast.as_str())
        .bind(stage.tenant.as_str())
        .execute(&mut stage.database.connect().await?)
        .await?;
    until("it is finishing", async || {
        (stage.kept(broadcast).await.ok()? == ("finishing".to_owned(), Some("owner".to_owned()))).then_some(())
    })
    .await?;
    let next = id(&stage.open(PublishId::random(), "http://edge-1:7003").await??)?;
    assert_ne!(next, broadcast, "the channel is free");
    Ok(())
}

#[tokio::test]
async fn a_broadcast_is_opened_once_placed_continued_taken_over_and_finished() -> Outcome {
    let stage = Stage::set(60).await?;
    let worker = stage.worker().await?;
    let hints = HintsConfig {
        redis_url: stage.redis.url(),
    }
    .open()?;
    let announced = announcements(&hints);
    assert_eq!(stage.channel_shown().await?.state(), Shown::Offline);

    let first = PublishId::random();
    let opened = stage.open(first, "http://edge-1:7003").await??;
    assert!(!opened.continued && opened.next_epoch == 0);
    assert_eq!(
        stage.open(first, "http://edge-1:7003").await??,
        opened,
        "asking twice gives one answer"
    );
    let broadcast = id(&opened)?;

    let assignment = worker.assigned(|_| true).await?;
    assert_eq!(
        (assignment.broadcast_id.as_str(), assignment.generation),
        (broadcast.as_str(), 1)
    );
    assert_eq!(
        (assignment.edge_url.as_str(), assignment.latency_mode.as_str()),
        ("http://edge-1:7003", "low")
    );
    assert_eq!(assignment.anchor_wallclock_ms, opened.anchor_wallclock_ms);
    let names: Vec<_> = assignment.ladder.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!(names, ["source", "480p", "360p"]);
    let live = stage.channel_shown().await?;
    assert_eq!(
        (live.state(), live.broadcast_id.as_str()),
        (Shown::Live, broadcast.as_str())
    );
    assert_eq!((live.worker_url.as_str(), live.generation), (worker.url.as_str(), 1));
    assert_eq!(stage.shown(&live.replay_playback_id).await?.kind, "replay");

    // The publisher vanishes and comes back through another edge.
    stage.report(broadcast, first, State::Away).await?;
    assert_eq!(stage.channel_shown().await?.state(), Shown::Reconnecting);
    let second = PublishId::random();
    let continued = stage.open(second, "http://edge-2:7003").await??;
    assert!(continued.continued && continued.next_epoch > opened.next_epoch);
    assert_eq!(continued.broadcast_id, opened.broadcast_id);
    assert_eq!(continued.anchor_wallclock_ms, opened.anchor_wallclock_ms);
    let moved = worker
        .assigned(|assignment| assignment.edge_url == "http://edge-2:7003")
        .await?;
    assert_eq!(
        (moved.generation, &moved.ladder),
        (1, &assignment.ladder),
        "the lease stays"
    );

    // What the first publish still says no longer counts.
    stage.report(broadcast, first, State::Ended).await?;
    assert_eq!(stage.channel_shown().await?.state(), Shown::Live);
    assert_refused(
        stage.open(first, "http://edge-1:7003").await?,
        Code::FailedPrecondition,
        "taken over",
    )?;

    // A third publisher takes over while the second still sends.
    let third = PublishId::random();
    assert!(stage.open(third, "http://edge-2:7003").await??.continued);
    assert_refused(
        stage.open(second, "http://edge-2:7003").await?,
        Code::FailedPrecondition,
        "taken over",
    )?;

    stage.report(broadcast, third, State::Ended).await?;
    assert_eq!(stage.channel_shown().await?.state(), Shown::Finishing);
    assert!(
        !stage.report(broadcast, third, State::Ended).await?,
        "its worker is still at it"
    );
    assert_refused(stage.finish(broadcast, 0).await, Code::Aborted, "generation 1")?;
    assert_refused(stage.finish(broadcast, 2).await, Code::Aborted, "generation 1")?;
    stage.finish(broadcast, 1).await?;
    stage.finish(broadcast, 1).await?;
    assert!(
        stage.report(broadcast, third, State::Ended).await?,
        "the edge may forget it"
    );
    assert!(
        stage.report(broadcast, first, State::Ended).await?,
        "and so may an earlier one"
    );
    let ended = stage.channel_shown().await?;
    assert_eq!((ended.state(), ended.worker_url.as_str()), (Shown::Ended, ""));
    assert_refused(
        stage.open(third, "http://edge-2:7003").await?,
        Code::FailedPrecondition,
        "has ended",
    )?;

    // The next publish is another broadcast; the replay keeps its own address.
    let next = stage.open(PublishId::random(), "http://edge-1:7003").await??;
    assert_ne!(next.broadcast_id, opened.broadcast_id);
    assert_eq!(stage.channel_shown().await?.broadcast_id, next.broadcast_id);
    assert_eq!(stage.shown(&ended.replay_playback_id).await?.state(), Shown::Ended);
    let replay_id = ended.replay_playback_id;
    until("origins are told of the channel and of the replay", async || {
        let announced = announced.lock().ok()?;
        let told = |id: &str| announced.iter().any(|known| known == id);
        (told(stage.channel.playback_id.as_str()) && told(&replay_id)).then_some(())
    })
    .await?;
    Ok(())
}

/// Everything that is announced from now on.
fn announcements(hints: &headwater_platform::hints::SharedHints) -> std::sync::Arc<std::sync::Mutex<Vec<String>>> {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (mut stream, list) = (hints.subscribe(PLAYBACK_TOPIC), heard.clone());
    tokio::spawn(async move {
        while let Some(playback_id) = stream.next().await {
            if let Ok(mut list) = list.lock() {
                list.push(playback_id);
            }
        }
    });
    heard
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_field() -> Outcome {
    let stage = Stage::set(60).await?;
    let good = OpenBroadcastRequest {
        tenant_id: stage.tenant.into(),
        channel_id: stage.channel.channel_id.into(),
        publish_id: PublishId::random().into(),
        edge_url: "http://edge-1:7003".into(),
        tracks: vec![video_track()],
        ..Default::default()
    };
    type Spoil = fn(&mut OpenBroadcastRequest);
    let cases: [(Spoil, Code, &str); 7] = [
        (|r| r.tenant_id = "acme".into(), Code::InvalidArgument, "tenant_id: "),
        (|r| r.publish_id = String::new(), Code::InvalidArgument, "publish_id: "),
        (|r| r.edge_url = "edge-1".into(), Code::InvalidArgument, "edge_url: "),
        (|r| r.tracks.clear(), Code::InvalidArgument, "neither picture nor sound"),
        (
            |r| r.tracks[0].config = b"\x01\x64".as_slice().into(),
            Code::InvalidArgument,
            "avcC",
        ),
        (
            |r| r.tenant_id = TenantId::random().into(),
            Code::NotFound,
            "no channel",
        ),
        (
            |r| r.channel_id = headwater_model::ChannelId::random().into(),
            Code::NotFound,
            "no channel",
        ),
    ];
    for (change, code, words) in cases {
        let mut request = good.clone();
        change(&mut request);
        assert_refused(stage.client()?.open_broadcast(request).await, code, words)?;
    }
    let nobody = BroadcastId::random();
    assert_refused(
        stage.report(nobody, PublishId::random(), State::Away).await,
        Code::NotFound,
        "no broadcast",
    )?;
    assert_refused(stage.finish(nobody, 1).await, Code::NotFound, "no broadcast")?;
    let unsaid = stage.report(nobody, PublishId::random(), State::Unspecified).await;
    assert_refused(unsaid, Code::InvalidArgument, "state: ")?;
    Ok(())
}

#[tokio::test]
async fn publishers_of_one_channel_at_once_share_one_broadcast() -> Outcome {
    let stage = Stage::set(60).await?;
    let publishes: Vec<_> = (0..8).map(|_| PublishId::random()).collect();
    let answers = publishes
        .iter()
        .map(|publish| stage.open(*publish, "http://edge-1:7003"));
    let mut broadcasts = std::collections::BTreeSet::new();
    let mut epochs = std::collections::BTreeSet::new();
    for answer in join_all(answers).await {
        let opened = answer??;
        broadcasts.insert(opened.broadcast_id);
        epochs.insert(opened.next_epoch);
    }
    assert_eq!(
        (broadcasts.len(), epochs.len()),
        (1, 8),
        "one broadcast, and no two publishes share an epoch"
    );
    Ok(())
}

#[tokio::test]
async fn a_dead_worker_is_replaced_and_its_generation_counts_no_more() -> Outcome {
    let stage = Stage::set(60).await?;
    let worker = stage.worker().await?;
    let opened = stage.open(PublishId::random(), "http://edge-1:7003").await??;
    let broadcast = id(&opened)?;
    worker.assigned(|_| true).await?;
    until("the lease is confirmed", async || {
        let mut connection = stage.database.connect().await.ok()?;
        let acked: Option<bool> = sqlx::query_scalar("select acked_at is not null from lease")
            .fetch_optional(&mut connection)
            .await
            .ok()?;
        acked.filter(|acked| *acked)
    })
    .await?;
    let spare = stage.worker().await?;
    worker.set_silent(true);
    let moved = spare.assigned(|_| true).await?;
    assert_eq!((moved.broadcast_id.as_str(), moved.generation), (broadcast.as_str(), 2));
    let live = stage.channel_shown().await?;
    assert_eq!((live.worker_url.as_str(), live.generation), (spare.url.as_str(), 2));
    assert_refused(stage.finish(broadcast, 1).await, Code::Aborted, "generation 2")?;

    // It was only cut off: it is told to let go of what it held, and nothing comes back to it.
    worker.set_silent(false);
    let release = worker.released(|_| true).await?;
    assert_eq!(
        (release.broadcast_id.as_str(), release.generation, release.finish),
        (broadcast.as_str(), 1, false)
    );
    assert_eq!(spare.assignments(broadcast).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_broadcast_waits_for_the_first_worker_and_passes_one_that_cannot_be_dialled() -> Outcome {
    let stage = Stage::set(60).await?;
    let opened = stage.open(PublishId::random(), "http://edge-1:7003").await??;
    // It still beats (its last heartbeat is in Redis), but nobody answers. It alone has room for the whole ladder.
    let gone = stage.worker().await?;
    gone.kill();
    let small = Capacity {
        encode_px_per_s: 40_000_000,
        slots: 1,
    };
    let worker = SimWorker::start(&stage.redis.url(), small).await?;
    let assignment = worker.assigned(|_| true).await?;
    assert_eq!(assignment.broadcast_id, opened.broadcast_id);
    Ok(())
}

#[tokio::test]
async fn a_full_farm_passes_the_source_through() -> Outcome {
    let stage = Stage::set(60).await?;
    let new = channel::New {
        ladder: Policy::Source,
        ..channel::New::titled(stage.tenant, "Source only")
    };
    channel::create(&stage.database.api, new).await?;
    let worker = SimWorker::start(
        &stage.redis.url(),
        Capacity {
            encode_px_per_s: 0,
            slots: 0,
        },
    )
    .await?;
    stage.open(PublishId::random(), "http://edge-1:7003").await??;
    let assignment = worker.assigned(|_| true).await?;
    let names: Vec<_> = assignment
        .ladder
        .iter()
        .map(|rung| (rung.name.as_str(), rung.passthrough))
        .collect();
    assert_eq!(names, [("source", true)]);
    Ok(())
}

#[tokio::test]
async fn an_edge_that_vanished_is_waited_for_and_then_the_replay_is_written() -> Outcome {
    let stage = Stage::set(0).await?;
    let worker = stage.worker().await?;
    let opened = stage.open(PublishId::random(), "http://edge-1:7003").await??;
    let broadcast = id(&opened)?;
    worker.assigned(|_| true).await?;
    worker.set_link_down_ms(6_000);
    until("players are told to wait", async || {
        (stage.channel_shown().await.ok()?.state() == Shown::Reconnecting).then_some(())
    })
    .await?;
    let release = worker.released(|release| release.finish).await?;
    assert_eq!(
        (release.broadcast_id.as_str(), release.generation),
        (broadcast.as_str(), 1)
    );
    assert_eq!(stage.channel_shown().await?.state(), Shown::Finishing);
    stage.finish(broadcast, 1).await?;
    assert_eq!(stage.channel_shown().await?.state(), Shown::Ended);
    Ok(())
}
