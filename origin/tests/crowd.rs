//! Thousands who wait for one part. The only test of its process: meters are the process's.

mod support;

use std::time::Duration;

use http::StatusCode;
use metrics_exporter_prometheus::PrometheusBuilder;
use support::client::get;
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, TENANT};
use support::media::{Recipe, make};

fn url(file: &str) -> String {
    format!("/{CHANNEL}/{BROADCAST}/{file}")
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_waiters_are_one_subscription_and_one_rendering() {
    const WAITERS: usize = 5_000;
    let meters = PrometheusBuilder::new().install_recorder().expect("the only one");
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start().await;
    let said = made.through_segment(2);
    let worker = FakeWorker::start_with(&made, said).await;
    farm.goes_live(&worker, 1);
    get(farm.origin, &url("source/index.m3u8")).await;
    let answers: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (at, path) = (farm.origin, url("source/index.m3u8?_HLS_msn=4&_HLS_part=0"));
            tokio::spawn(async move { get(at, &path).await })
        })
        .collect();
    let waiting = || -> usize {
        let read = meters.render();
        let line = read
            .lines()
            .find_map(|line| line.strip_prefix("origin_waiting_requests "));
        line.map_or(0, |count| count.parse().expect("a number"))
    };
    let all = async {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        while waiting() < WAITERS {
            every.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("all of them wait");
    worker.say_all(&made.events[said..said + 3]);
    let mut bodies = Vec::new();
    for answer in answers {
        let answer = answer.await.expect("no panic");
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text().contains("3-1.0.m4s"), "{}", answer.text());
        bodies.push(answer.body);
    }
    bodies.sort();
    bodies.dedup();
    assert!(bodies.len() <= 3, "{} renderings of three events", bodies.len());
    assert_eq!(worker.subscriptions(), 1);
    assert_eq!(farm.store.gets(), 0);
}
