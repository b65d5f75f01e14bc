//! The api on a real PostgreSQL: who may publish, what plays, and that tenants stay apart.

use std::time::Instant;

use headwater_api::{channel, demo, stream_key, tenant};
use headwater_model::ladder::Policy;
use headwater_model::proto::api::ingest_client::IngestClient;
use headwater_model::proto::api::playback_client::PlaybackClient;
use headwater_model::proto::api::resolve_response::State;
use headwater_model::proto::api::{AuthorizeRequest, AuthorizeResponse, ResolveRequest, ResolveResponse};
use headwater_model::{LatencyMode, PlaybackId, StreamKey};
use headwater_platform::rpc::{self, RpcConfig};
use headwater_tests::farm::{self, Role, assert_refused, rpc_config};
use headwater_tests::outside::{Cluster, TestDatabase};
use sqlx::{AssertSqlSafe, Connection as _};
use tonic::{Code, Status};

type Outcome = anyhow::Result<()>;

async fn authorize(api: &Role, key: &str) -> anyhow::Result<Result<AuthorizeResponse, Status>> {
    let request = AuthorizeRequest {
        stream_key: key.into(),
        protocol: "rtmp".into(),
        peer_address: "127.0.0.1".into(),
    };
    let answer = IngestClient::new(rpc::client(&api.url, &rpc_config())?)
        .authorize(request)
        .await;
    Ok(answer.map(|response| response.into_inner()))
}

async fn resolve(api: &Role, playback_id: &str) -> anyhow::Result<Result<ResolveResponse, Status>> {
    let request = ResolveRequest {
        playback_id: playback_id.into(),
    };
    let answer = PlaybackClient::new(rpc::client(&api.url, &rpc_config())?)
        .resolve(request)
        .await;
    Ok(answer.map(|response| response.into_inner()))
}

#[tokio::test]
async fn a_key_lets_in_until_it_is_revoked_or_expires_or_its_tenant_is_suspended() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let api = farm::api(&database.url).await?;
    let tenant = tenant::create(&database.api, "acme", "Acme").await?;
    let new = channel::New {
        latency_mode: LatencyMode::Standard,
        ..channel::New::titled(tenant.id, "Town hall")
    };
    let made = channel::create(&database.api, new).await?;

    let granted = authorize(&api, &format!(" {}\n", made.stream_key.expose())).await??;
    assert_eq!(granted.tenant_id, tenant.id.to_string());
    assert_eq!(granted.channel_id, made.channel_id.to_string());
    assert_eq!(granted.stream_key_id, made.stream_key_id.to_string());
    assert_eq!(granted.playback_id, made.playback_id.to_string());
    assert_eq!(
        (granted.latency_mode.as_str(), granted.reconnect_window_s),
        ("standard", 60)
    );
    assert!(granted.cache_ttl_s > 60 && granted.bitrate_max_bps == 0);

    assert_refused(authorize(&api, "live").await?, Code::Unauthenticated, "starts with sk_")?;
    assert_refused(
        authorize(&api, StreamKey::random().expose()).await?,
        Code::Unauthenticated,
        "not known",
    )?;

    // A second key works beside the first, for as long as it was given.
    let second = StreamKey::random();
    let expires_at = chrono::Utc::now() + chrono::Duration::seconds(90);
    let (tenant_id, channel_id) = (tenant.id, made.channel_id);
    let new = stream_key::New {
        tenant_id,
        channel_id,
        key: second.clone(),
        label: "event".into(),
        expires_at: Some(expires_at),
    };
    let second_id = stream_key::create(&database.api, new).await?;
    let granted = authorize(&api, second.expose()).await??;
    assert!(
        granted.cache_ttl_s <= 90,
        "an answer is not trusted for longer than the key lives"
    );
    let expired = stream_key::authorize(&database.api, second.expose(), expires_at).await;
    assert!(matches!(expired, Err(stream_key::Refusal::Expired { .. })));
    assert!(
        expired
            .expect_err("expired")
            .to_string()
            .contains(&expires_at.format("%Y-%m-%d at %H:%M UTC").to_string())
    );

    // A neighbour cannot revoke it; its owner can, and the first key still works.
    let neighbour = tenant::create(&database.api, "neighbour", "Neighbour").await?;
    let foreign = stream_key::revoke(&database.api, neighbour.id, second_id).await;
    assert!(matches!(foreign, Err(stream_key::Error::Unknown(_))));
    stream_key::revoke(&database.api, tenant.id, second_id).await?;
    stream_key::revoke(&database.api, tenant.id, second_id).await?;
    assert_refused(
        authorize(&api, second.expose()).await?,
        Code::Unauthenticated,
        "revoked",
    )?;
    authorize(&api, made.stream_key.expose()).await??;

    tenant::suspend(&database.api, tenant.id, true).await?;
    assert_refused(
        authorize(&api, made.stream_key.expose()).await?,
        Code::PermissionDenied,
        "suspended",
    )?;
    tenant::suspend(&database.api, tenant.id, false).await?;
    authorize(&api, made.stream_key.expose()).await??;

    let asked = Instant::now();
    let client = IngestClient::new(rpc::client(&api.url, &rpc_config())?);
    for _ in 0..50 {
        let request = AuthorizeRequest {
            stream_key: made.stream_key.expose().into(),
            ..Default::default()
        };
        client.clone().authorize(request).await?;
    }
    let each = asked.elapsed() / 50;
    assert!(each.as_millis() < 20, "an authorisation took {each:?}");
    api.stop().await
}

#[tokio::test]
async fn calls_without_the_secret_are_refused() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let api = farm::api(&database.url).await?;
    let wrong = rpc::client(&api.url, &RpcConfig::with_secret("another"))?;
    let answer = IngestClient::new(wrong).authorize(AuthorizeRequest::default()).await;
    assert_refused(answer, Code::Unauthenticated, "HEADWATER_RPC_SECRET")?;
    api.stop().await
}

#[tokio::test]
async fn names_that_are_taken_or_out_of_bounds_say_so() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let api = &database.api;
    let tenant = tenant::create(api, "acme", "Acme").await?;
    assert_eq!(
        tenant::ensure(api, "acme", "Other").await?,
        tenant,
        "an existing tenant stays as it is"
    );
    assert!(matches!(
        tenant::create(api, "acme", "Acme").await,
        Err(tenant::Error::SlugTaken { .. })
    ));
    assert!(matches!(
        tenant::create(api, "A C", "Acme").await,
        Err(tenant::Error::SlugForm { .. })
    ));
    assert!(matches!(
        tenant::create(api, "b", "").await,
        Err(tenant::Error::NameLength)
    ));

    let titled = |title: &str| channel::New::titled(tenant.id, title);
    let with_reference = channel::New {
        reference: Some("main".into()),
        ..titled("One")
    };
    channel::create(api, with_reference.clone()).await?;
    assert!(matches!(
        channel::create(api, with_reference).await,
        Err(channel::Error::ReferenceTaken(_))
    ));
    assert!(matches!(
        channel::create(api, titled("")).await,
        Err(channel::Error::Length { field: "title" })
    ));
    let long = channel::New {
        reconnect_window_s: 3_601,
        ..titled("Two")
    };
    assert!(matches!(
        channel::create(api, long).await,
        Err(channel::Error::ReconnectWindow(3_601))
    ));
    let nobody = channel::New::titled(headwater_model::TenantId::random(), "Three");
    assert!(matches!(
        channel::create(api, nobody).await,
        Err(channel::Error::UnknownTenant(_))
    ));
    let no_steps = Policy::Custom {
        passthrough: true,
        steps: vec![],
    };
    let unmakeable = channel::New {
        ladder: no_steps,
        ..titled("Four")
    };
    assert!(matches!(
        channel::create(api, unmakeable).await,
        Err(channel::Error::Ladder(_))
    ));

    let mut connection = database.connect().await?;
    let channels: i64 = sqlx::query_scalar("select count(*) from channel")
        .fetch_one(&mut connection)
        .await?;
    let keys: i64 = sqlx::query_scalar("select count(*) from stream_key")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!((channels, keys), (1, 1), "what was refused left nothing behind");
    Ok(())
}

#[tokio::test]
async fn the_demo_channel_is_made_once() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let key = StreamKey::random();
    let first = demo::ensure(&database.api, &key, Policy::Default).await?;
    let again = demo::ensure(&database.api, &key, Policy::Source).await?;
    assert_eq!(
        (first.channel_id, first.playback_id),
        (again.channel_id, again.playback_id)
    );
    let other_key = StreamKey::random();
    demo::ensure(&database.api, &other_key, Policy::Source).await?;
    let now = chrono::Utc::now();
    for key in [key, other_key] {
        assert_eq!(
            stream_key::authorize(&database.api, key.expose(), now)
                .await?
                .channel_id,
            first.channel_id
        );
    }
    let mut connection = database.connect().await?;
    let kind: String = sqlx::query_scalar("select ladder ->> 'kind' from channel")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(kind, "source", "the next broadcast gets the ladder of the last call");
    Ok(())
}

#[tokio::test]
async fn a_database_of_the_version_before_migrates_and_its_keys_go_on_working() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let mut connection = database.connect().await?;
    sqlx::query("create database before").execute(&mut connection).await?;
    let url = headwater_platform::Secret::new(
        database
            .url
            .reveal()
            .replace(database.url.reveal().rsplit('/').next().unwrap_or_default(), "before"),
    );
    let newest = sqlx::migrate!("../migrations");
    let old = newest
        .iter()
        .filter(|migration| migration.version <= 3)
        .cloned()
        .collect();
    let mut before = sqlx::PgConnection::connect(url.reveal()).await?;
    sqlx::migrate::Migrator::with_migrations(old).run(&mut before).await?;
    let (key, broadcast) = (StreamKey::random(), "br_aaaaaaaaaaaaaaaaaaaaaaaa");
    sqlx::raw_sql(AssertSqlSafe(format!(
        "insert into tenant (tenant_id, slug, name) values ('ten_aaaaaaaaaaaaaaaaaaaaaaaa', 'old', 'Old'); \
         insert into channel (channel_id, tenant_id, title) values ('ch_aaaaaaaaaaaaaaaaaaaaaaaa', 'ten_aaaaaaaaaaaaaaaaaaaaaaaa', 'Old'); \
         insert into playback_id values ('pb_aaaaaaaaaaaaaaaaaaaaaaaa', 'ten_aaaaaaaaaaaaaaaaaaaaaaaa', 'ch_aaaaaaaaaaaaaaaaaaaaaaaa'); \
         insert into stream_key (stream_key_id, tenant_id, channel_id, key_sha256) \
         values ('skid_aaaaaaaaaaaaaaaaaaaaaaaa', 'ten_aaaaaaaaaaaaaaaaaaaaaaaa', 'ch_aaaaaaaaaaaaaaaaaaaaaaaa', '{}'); \
         insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, reconnect_window_s, \
                                publish_id, edge_url, anchor_ms, source, ladder, started_at, finishing_at, ended_at, duration_ms) \
         values ('{broadcast}', 'ten_aaaaaaaaaaaaaaaaaaaaaaaa', 'ch_aaaaaaaaaaaaaaaaaaaaaaaa', 'pb_aaaaaaaaaaaaaaaaaaaaaaab', \
                 'ended', 'low', 60, 'pub_aaaaaaaaaaaaaaaaaaaaaaaa', 'x', 0, '{{}}', '{{}}', now(), now(), now(), 5000)",
        key.sha256_hex()
    )))
    .execute(&mut before)
    .await?;

    let api = headwater_api::Database::serve(&url, 2)?;
    api.migrate().await.expect_err("the serving roles may not migrate");
    // The failed attempt still holds the lock of migrations on its connection.
    api.close().await;
    let operator = headwater_api::Database::open(&url, 2)?;
    operator.migrate().await?;
    let api = headwater_api::Database::serve(&url, 2)?;
    let granted = stream_key::authorize(&api, key.expose(), chrono::Utc::now()).await?;
    assert_eq!(granted.channel_id.as_str(), "ch_aaaaaaaaaaaaaaaaaaaaaaaa");
    let asset: (String, String) = sqlx::query_as("select asset_id, state from asset")
        .fetch_one(&mut before)
        .await?;
    assert_eq!(
        asset,
        ("as_aaaaaaaaaaaaaaaaaaaaaaaa".into(), "ready".into()),
        "its replay is an asset now"
    );
    Ok(())
}

#[tokio::test]
async fn a_playback_id_without_a_broadcast_is_offline_and_an_unknown_one_is_not_found() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let api = farm::api(&database.url).await?;
    let tenant = tenant::create(&database.api, "acme", "Acme").await?;
    let made = channel::create(&database.api, channel::New::titled(tenant.id, "Quiet")).await?;
    let answer = resolve(&api, made.playback_id.as_str()).await??;
    assert_eq!(
        (answer.state(), answer.kind.as_str(), answer.title.as_str()),
        (State::Offline, "channel", "Quiet")
    );
    assert_eq!(
        (answer.latency_mode.as_str(), answer.broadcast_id.as_str()),
        ("low", "")
    );
    assert_refused(
        resolve(&api, PlaybackId::random().as_str()).await?,
        Code::NotFound,
        "no such playback id",
    )?;
    assert_refused(
        resolve(&api, "../etc/passwd").await?,
        Code::NotFound,
        "no such playback id",
    )?;
    api.stop().await
}

#[tokio::test]
async fn without_the_database_calls_say_so_and_readiness_too_and_all_is_well_afterwards() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let database = cluster.database().await?;
    let api = farm::api(&database.url).await?;
    let tenant = tenant::create(&database.api, "acme", "Acme").await?;
    let made = channel::create(&database.api, channel::New::titled(tenant.id, "One")).await?;
    authorize(&api, made.stream_key.expose()).await??;

    cluster.stop()?;
    let key = made.stream_key.expose();
    assert_refused(authorize(&api, key).await?, Code::Unavailable, "Try again")?;
    assert_refused(
        resolve(&api, made.playback_id.as_str()).await?,
        Code::Unavailable,
        "cannot be looked up",
    )?;
    farm::until("the api says that it is not ready", async || {
        (!api.process.health.problems().is_empty()).then_some(())
    })
    .await?;

    cluster.start_again().await?;
    farm::until("the api authorises again", async || {
        authorize(&api, key).await.ok()?.ok()
    })
    .await?;
    farm::until("the api is ready again", async || {
        api.process.health.problems().is_empty().then_some(())
    })
    .await?;
    api.stop().await
}

#[tokio::test]
async fn postgres_itself_shows_a_restricted_role_one_tenant_alone() -> Outcome {
    let database = TestDatabase::fresh().await?;
    let mut owner = database.connect().await?;
    let mut tenants = Vec::new();
    for slug in ["acme", "neighbour"] {
        let tenant = tenant::create(&database.api, slug, slug).await?;
        channel::create(&database.api, channel::New::titled(tenant.id, slug)).await?;
        tenants.push(tenant);
    }
    // A role belongs to the whole cluster; its name is this test's own.
    let role = format!("reader_{}", &tenants[0].id.as_str()[4..]);
    for statement in [
        format!("create role {role} login"),
        format!("grant select, update on all tables in schema public to {role}"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut owner).await?;
    }
    let url = database.url.reveal().replace("headwater@", &format!("{role}@"));
    let mut reader = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns \
         where table_schema = 'public' and column_name = 'tenant_id' order by 1",
    )
    .fetch_all(&mut owner)
    .await?;
    assert_eq!(
        tables,
        [
            "api_token",
            "asset",
            "audit_entry",
            "broadcast",
            "broadcast_end",
            "broadcast_health",
            "channel",
            "event_counter",
            "idempotency",
            "invitation",
            "lease",
            "member",
            "playback_id",
            "playback_revocation",
            "playback_token_use",
            "publish",
            "signing_key",
            "stream_key",
            "tenant",
            "webhook_attempt",
            "webhook_delivery",
            "webhook_endpoint",
            "webhook_event",
            "webhook_queue"
        ]
    );
    for table in &tables {
        let count = format!("select count(*) from {table}");
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count.clone()))
            .fetch_one(&mut reader)
            .await?;
        assert_eq!(seen, 0, "{table} is shown before a tenant is named");
        sqlx::query("select set_config('headwater.tenant_id', $1, false)")
            .bind(tenants[0].id.as_str())
            .execute(&mut reader)
            .await?;
        let foreign = format!("select count(*) from {table} where tenant_id <> '{}'", tenants[0].id);
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(foreign))
            .fetch_one(&mut reader)
            .await?;
        assert_eq!(seen, 0, "{table} shows a neighbour's rows");
        sqlx::query("select set_config('headwater.tenant_id', '', false)")
            .execute(&mut reader)
            .await?;
    }
    sqlx::query("select set_config('headwater.tenant_id', $1, false)")
        .bind(tenants[0].id.as_str())
        .execute(&mut reader)
        .await?;
    let done = sqlx::query("update channel set title = 'mine'")
        .execute(&mut reader)
        .await?;
    assert_eq!(done.rows_affected(), 1, "only the own channel is changed");
    Ok(())
}
