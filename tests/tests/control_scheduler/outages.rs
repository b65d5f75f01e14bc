//! What goes on while the leading scheduler, Redis or PostgreSQL is away.

use std::time::Duration;

use headwater_api::channel;
use headwater_model::PublishId;
use headwater_tests::farm::{self, assert_refused, until};
use headwater_tests::outside::Cluster;
use tonic::Code;

use super::{Outcome, Stage, id};

#[tokio::test]
async fn of_two_schedulers_one_acts_and_the_other_takes_over_leaving_what_runs_alone() -> Outcome {
    let mut stage = Stage::set(60).await?;
    let worker = stage.worker().await?;
    let publish = PublishId::random();
    let opened = stage.open(publish, "http://edge-1:7003").await??;
    let broadcast = id(&opened)?;
    worker.assigned(|_| true).await?;
    until("the worker is seen to run it", async || {
        (stage.channel_shown().await.ok()?.generation == 1).then_some(())
    })
    .await?;

    let standby = farm::scheduler(&stage.database.url, &stage.redis.url()).await?;
    until("it stands by", async || {
        let problems = standby.process.health.problems();
        problems
            .iter()
            .any(|(_, reason)| reason.contains("another scheduler leads"))
            .then_some(())
    })
    .await?;
    let leader = std::mem::replace(&mut stage.scheduler, standby);
    assert_refused(
        stage.open(publish, "http://edge-1:7003").await?,
        Code::Unavailable,
        "does not lead",
    )?;

    leader.kill();
    until("the standby leads", async || {
        stage.scheduler.process.health.problems().is_empty().then_some(())
    })
    .await?;
    assert_eq!(
        stage.open(publish, "http://edge-1:7003").await??,
        opened,
        "it knows what the first one promised"
    );
    stage.another_is_placed(&worker).await?;
    assert_eq!(worker.assignments(broadcast).len(), 1, "what runs is not told again");
    assert_eq!(stage.channel_shown().await?.generation, 1);
    Ok(())
}

#[tokio::test]
async fn without_redis_nobody_is_moved_and_new_broadcasts_still_find_a_place() -> Outcome {
    let mut stage = Stage::set(60).await?;
    let worker = stage.worker().await?;
    let spare = stage.worker().await?;
    let opened = stage.open(PublishId::random(), "http://edge-1:7003").await??;
    let broadcast = id(&opened)?;
    until("one of the two has it", async || {
        (worker.assignments(broadcast).len() + spare.assignments(broadcast).len() == 1).then_some(())
    })
    .await?;
    // The one that is fuller takes what follows.
    let (worker, spare) = if spare.told().is_empty() {
        (worker, spare)
    } else {
        (spare, worker)
    };

    stage.redis.stop()?;
    stage.another_is_placed(&worker).await?;
    // Longer than any silence is borne, measured by what the scheduler itself would count.
    tokio::time::timeout(Duration::from_secs(6), worker.released(|_| true))
        .await
        .expect_err("nobody lets go");
    assert_eq!(
        (
            worker.assignments(broadcast).len(),
            stage.channel_shown().await?.generation
        ),
        (1, 1)
    );

    stage.redis.start_again().await?;
    stage.another_is_placed(&worker).await?;
    assert_eq!(stage.channel_shown().await?.generation, 1);
    assert!(spare.told().is_empty(), "there was somewhere to go, and no reason");
    Ok(())
}

#[tokio::test]
async fn without_postgres_opening_waits_and_what_runs_goes_on() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let stage = Stage::set_in(cluster.database().await?, 60).await?;
    let worker = stage.worker().await?;
    let publish = PublishId::random();
    let opened = stage.open(publish, "http://edge-1:7003").await??;
    let broadcast = id(&opened)?;
    worker.assigned(|_| true).await?;

    cluster.stop()?;
    assert_refused(stage.open(publish, "http://edge-1:7003").await?, Code::Unavailable, "")?;
    until("the scheduler says that it is not ready", async || {
        (!stage.scheduler.process.health.problems().is_empty()).then_some(())
    })
    .await?;
    cluster.start_again().await?;
    let again = until("the same answer as before", async || {
        stage.open(publish, "http://edge-1:7003").await.ok()?.ok()
    })
    .await?;
    assert_eq!(again, opened);
    // A connection that was used a moment before PostgreSQL went is not tested again: it fails once.
    until("the api has new connections", async || {
        channel::create(&stage.database.api, channel::New::titled(stage.tenant, "Before"))
            .await
            .ok()
    })
    .await?;
    stage.another_is_placed(&worker).await?;
    assert!(
        worker.told().iter().all(|told| matches!(told, farm::Told::Assign(_))),
        "nobody lets go"
    );
    assert!(
        worker
            .assignments(broadcast)
            .iter()
            .all(|assignment| assignment.generation == 1)
    );
    Ok(())
}
