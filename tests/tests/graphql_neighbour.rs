//! Tenants stay apart, and roles too: every query, mutation and subscription of the schema, found by introspection, is asked
//! for a tenant's objects by its neighbour, by nobody, and by every role and token that may not; each gets nothing and changes
//! nothing. A field that is new in the schema is asked as well, and needs a line in [`needs`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use async_graphql::Request;
use futures::StreamExt as _;
use headwater_api::access::{Action, Environment, Role};
use headwater_api::graphql;
use headwater_api::op::{Actor, Caller as From, Op, Place};
use headwater_model::{BroadcastId, PlaybackId, PublishId};
use headwater_tests::front::{Caller, Front};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

type Outcome = anyhow::Result<()>;

/// What a field of the schema's roots takes to be answered: `None`: nothing at all, `Some(None)`: to be signed in.
fn needs(field: &str) -> Option<Option<Action>> {
    use Action::*;
    Some(Some(match field {
        // About oneself, by a secret that one knows, or to come in.
        "me" | "viewer" | "invitationPreview" | "signUp" | "signIn" | "signOut" => return None,
        "sessionRevoke" | "userUpdate" | "passwordChange" | "tenantCreate" | "invitationAccept" => return Some(None),
        "node" | "tenant" | "memberRemove" => TenantRead,
        "tenantUpdate" => TenantWrite,
        "memberUpdate" | "invitationCreate" | "invitationRevoke" => MemberWrite,
        "apiTokenCreate" | "apiTokenRevoke" => TokenWrite,
        "channel" | "channels" | "playbackId" | "channelUpdated" | "channelsUpdated" => ChannelRead,
        "channelCreate" | "channelUpdate" | "channelDelete" | "playbackIdCreate" | "playbackIdDelete" => ChannelWrite,
        "streamKey" => StreamKeyRead,
        "streamKeyCreate" | "streamKeyUpdate" | "streamKeyRotate" | "streamKeyRevoke" => StreamKeyWrite,
        "broadcast" | "broadcasts" | "broadcastUpdated" => BroadcastRead,
        "asset" | "assets" => AssetRead,
        "signingKey" | "signingKeys" => SigningKeyRead,
        "signingKeyCreate" | "signingKeyImport" | "signingKeyRevoke" => SigningKeyWrite,
        "playbackViewerRevoke" | "playbackTokenRevoke" => ViewerRevoke,
        "webhookEndpoint" | "webhookEndpoints" | "webhookEvent" | "webhookEvents" | "webhookDelivery"
        | "webhookDeliveries" => WebhookRead,
        "webhookEndpointCreate"
        | "webhookEndpointUpdate"
        | "webhookEndpointRotateSecret"
        | "webhookEndpointDelete"
        | "webhookEndpointTest"
        | "webhookEventResend" => WebhookWrite,
        unknown => panic!("{unknown} is new in the schema: say here what it takes"),
    }))
}

/// A tenant with one of everything.
struct House {
    owner: Caller,
    tenant: String,
    ids: Vec<String>,
    /// Words that nobody else may read.
    marks: Vec<String>,
}

async fn furnish(front: &Front, name: &str) -> anyhow::Result<House> {
    let (owner, tenant) = front.sign_up(name).await?;
    let mark = format!("secret-of-{}", name.to_lowercase());
    let mut ids = vec![tenant.clone()];
    let channel = "mutation($t: String!) { channelCreate(input: { title: $t, reference: $t }) { channel { id playbackIds { id } } streamKey { id } } }";
    let made = owner.ask(channel, json!({ "t": mark })).await?;
    let channel_id = made.text("/channelCreate/channel/id")?;
    ids.push(channel_id.clone());
    ids.push(made.text("/channelCreate/streamKey/id")?);
    ids.push(made.text("/channelCreate/channel/playbackIds/0/id")?);
    let more = "mutation($c: ID!, $e: String!, $n: String!, $u: String!) {
        playbackIdCreate(input: { channelId: $c }) { playbackId { id } }
        streamKeyCreate(input: { channelId: $c, label: $n }) { streamKey { id } }
        invitationCreate(input: { email: $e, role: ANALYST }) { invitation { id } }
        apiTokenCreate(input: { name: $n, environment: LIVE, actions: [CHANNEL_READ] }) { apiToken { id } }
        signingKeyCreate(input: { name: $n, algorithm: EDDSA }) { signingKey { id } }
        playbackViewerRevoke(input: { viewerId: $n }) { viewerId }
        webhookEndpointCreate(input: { url: $u, description: $n }) { webhookEndpoint { id } } }";
    let variables = json!({ "c": channel_id, "e": format!("{mark}@example.com"), "n": mark,
        "u": format!("https://{mark}.example.com/") });
    let made = owner.ask(more, variables).await?;
    for pointer in [
        "/playbackIdCreate/playbackId/id",
        "/streamKeyCreate/streamKey/id",
        "/invitationCreate/invitation/id",
        "/apiTokenCreate/apiToken/id",
        "/signingKeyCreate/signingKey/id",
        "/webhookEndpointCreate/webhookEndpoint/id",
    ] {
        ids.push(made.text(pointer)?);
    }
    let own = owner
        .ask(
            "{ me { id sessions { nodes { id } } } tenant { members { nodes { id } } auditLog { nodes { id } } } }",
            json!({}),
        )
        .await?;
    ids.push(own.text("/me/id")?);
    ids.push(own.text("/me/sessions/nodes/0/id")?);
    ids.push(own.text("/tenant/members/nodes/0/id")?);
    ids.push(own.text("/tenant/auditLog/nodes/0/id")?);
    let (broadcast, replay) = (BroadcastId::random(), PlaybackId::random());
    let mut connection = front.database.connect().await?;
    sqlx::query(
        "insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, reconnect_window_s, \
                                publish_id, edge_url, anchor_ms, source, ladder, started_at) \
         values ($1, $2, $3, $4, 'live', 'low', 60, $5, 'http://127.0.0.1:1', 0, '{\"audio\": true}', \
                 '{\"video\": [], \"audio\": true}', now())",
    )
    .bind(broadcast.as_str())
    .bind(&tenant)
    .bind(&channel_id)
    .bind(replay.as_str())
    .bind(PublishId::random().as_str())
    .execute(&mut connection)
    .await?;
    let live = owner
        .ask(
            "query($id: ID!) { channel(id: $id) { state broadcast { id asset { id state } } } }",
            json!({ "id": channel_id }),
        )
        .await?;
    assert_eq!(live.text("/channel/state")?, "LIVE");
    assert_eq!(live.text("/channel/broadcast/asset/state")?, "RECORDING");
    let told = owner
        .ask(
            "{ webhookEvents(last: 1) { nodes { id } } webhookDeliveries { nodes { id } } }",
            json!({}),
        )
        .await?;
    ids.push(told.text("/webhookEvents/nodes/0/id")?);
    ids.push(told.text("/webhookDeliveries/nodes/0/id")?);
    ids.push(broadcast.to_string());
    ids.push(live.text("/channel/broadcast/asset/id")?);
    ids.push(replay.to_string());
    Ok(House {
        owner,
        tenant,
        ids,
        marks: vec![mark, format!("{name} Ltd")],
    })
}

/// Everything that belongs to a tenant, as one text; what mere reading moves is left out.
async fn contents(connection: &mut PgConnection, tenant: &str) -> anyhow::Result<String> {
    let mut whole = String::new();
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns \
         where table_schema = 'public' and column_name = 'tenant_id' order by 1",
    )
    .fetch_all(&mut *connection)
    .await?;
    assert!(tables.len() >= 22, "{tables:?}");
    for table in tables {
        let query = format!(
            "select coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, ',' order by to_jsonb(t)::text), '') \
             from {table} t where tenant_id = $1"
        );
        let rows: String = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(tenant)
            .fetch_one(&mut *connection)
            .await?;
        whole.push_str(&format!("{table}: {rows}\n"));
    }
    let people: String = sqlx::query_scalar(
        "select coalesce(string_agg(to_jsonb(u)::text, ',' order by user_id), '') from user_account u \
         where user_id in (select user_id from member where tenant_id = $1)",
    )
    .bind(tenant)
    .fetch_one(connection)
    .await?;
    Ok(whole + &people)
}

/// The schema as introspection tells it.
struct Schema {
    types: BTreeMap<String, Value>,
}

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields { name args { name defaultValue type { ...T } } type { ...T } }
    inputFields { name defaultValue type { ...T } } enumValues { name } possibleTypes { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

impl Schema {
    async fn of(caller: &Caller) -> anyhow::Result<Self> {
        let told = caller.ask(INTROSPECTION, json!({})).await?;
        let types = told.data("/__schema/types")?.as_array().context("no types")?.clone();
        let named = types
            .into_iter()
            .filter_map(|t| Some((t["name"].as_str()?.to_owned(), t)));
        Ok(Self { types: named.collect() })
    }

    fn fields(&self, of: &str) -> Vec<Value> {
        self.types[of]["fields"].as_array().cloned().unwrap_or_default()
    }

    /// A value for an input of this type, with `id` wherever an id is wanted.
    fn value(&self, wanted: &Value, id: &str, mark: &str) -> String {
        match wanted["kind"].as_str().unwrap_or_default() {
            "NON_NULL" => self.value(&wanted["ofType"], id, mark),
            "LIST" => format!("[{}]", self.value(&wanted["ofType"], id, mark)),
            "ENUM" => {
                let name = wanted["name"].as_str().unwrap_or_default();
                self.types[name]["enumValues"][0]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            }
            "INPUT_OBJECT" => {
                let name = wanted["name"].as_str().unwrap_or_default();
                let fields = self.types[name]["inputFields"].as_array().cloned().unwrap_or_default();
                // Of a filter only what points at an object: the rest would hide what there is to see.
                let narrow = name.ends_with("Filter");
                let given = fields
                    .iter()
                    .filter(|field| !narrow || field["type"]["name"] == "ID")
                    .map(|field| {
                        let name = field["name"].as_str().unwrap_or_default();
                        format!("{name}: {}", self.value(&field["type"], id, mark))
                    });
                format!("{{ {} }}", given.collect::<Vec<_>>().join(", "))
            }
            _ => match wanted["name"].as_str().unwrap_or_default() {
                "ID" => json!(id).to_string(),
                "String" => json!(mark).to_string(),
                "Boolean" => "true".into(),
                "DateTime" => "\"2050-01-01T00:00:00Z\"".into(),
                "JSON" => "{ k: 1 }".into(),
                "Long" => "64000".into(),
                "Float" => "30".into(),
                _ => "1".into(),
            },
        }
    }

    /// Everything that can be selected of a type without arguments, some levels deep.
    fn selection(&self, of: &Value, depth: usize) -> String {
        let mut of = of;
        while !of["ofType"].is_null() {
            of = &of["ofType"];
        }
        let name = of["name"].as_str().unwrap_or_default();
        match of["kind"].as_str().unwrap_or_default() {
            "INTERFACE" | "UNION" => {
                let kinds = self.types[name]["possibleTypes"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let own = kinds.iter().map(|kind| {
                    // Fields of one name may be null in one type and not in another: aliases keep them apart.
                    let kind = json!({ "kind": "OBJECT", "name": kind["name"] });
                    format!("... on {} {{ id }}", kind["name"].as_str().unwrap_or_default())
                });
                format!(" {{ __typename {} }}", own.collect::<Vec<_>>().join(" "))
            }
            "OBJECT" if depth == 0 => " { __typename }".into(),
            "OBJECT" => {
                let fields = self.fields(name);
                let parts = fields.iter().filter_map(|field| {
                    let kind = field["type"].to_string();
                    let nested = kind.contains("\"OBJECT\"");
                    // A list within a list would be too much to ask, and edges repeat their nodes.
                    let skipped = field["name"] == "edges" || (nested && depth == 1);
                    (!skipped).then(|| {
                        let name = field["name"].as_str().unwrap_or_default();
                        format!("{name}{}", self.selection(&field["type"], depth - 1))
                    })
                });
                format!(" {{ __typename {} }}", parts.collect::<Vec<_>>().join(" "))
            }
            _ => String::new(),
        }
    }

    /// A call of a field with every argument filled in.
    fn call(&self, kind: &str, field: &Value, id: &str, mark: &str) -> String {
        let args = field["args"].as_array().cloned().unwrap_or_default();
        let given = args.iter().filter_map(|arg| {
            let name = arg["name"].as_str().unwrap_or_default();
            // Of a page's arguments one is enough; a channel is asked for by id or by reference.
            if ["after", "last", "before", "first", "reference"].contains(&name) {
                return None;
            }
            Some(format!("{name}: {}", self.value(&arg["type"], id, mark)))
        });
        let given = given.collect::<Vec<_>>().join(", ");
        let given = if given.is_empty() {
            String::new()
        } else {
            format!("({given})")
        };
        let name = field["name"].as_str().unwrap_or_default();
        format!("{kind} {{ {name}{given}{} }}", self.selection(&field["type"], 3))
    }
}

fn name(field: &Value) -> &str {
    field["name"].as_str().unwrap_or_default()
}

/// What of `house` stands in an answer: nothing should. An id that the caller gave may come back in a sentence.
fn leak<'h>(house: &'h House, answer: &Value) -> Option<&'h String> {
    let data = answer["data"].to_string();
    house
        .ids
        .iter()
        .chain(&house.marks)
        .find(|word| data.contains(word.as_str()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_and_nobody_get_nothing_and_change_nothing() -> Outcome {
    let front = Front::fresh().await?;
    let house = furnish(&front, "Ada").await?;
    let neighbour = furnish(&front, "Neighbour").await?;
    let all: Vec<&str> = Action::ALL.iter().map(|(_, word)| *word).collect();
    let all: Vec<String> = all.iter().map(|word| word.to_uppercase()).collect();
    let token = "mutation($a: [Action!]!) { apiTokenCreate(input: { name: \"all\", environment: LIVE, actions: $a }) { secret } }";
    let token = neighbour
        .owner
        .ask(token, json!({ "a": all }))
        .await?
        .text("/apiTokenCreate/secret")?;
    let callers = [
        ("the neighbour", neighbour.owner.clone()),
        (
            "the neighbour, naming the tenant",
            neighbour.owner.with("headwater-tenant", &house.tenant),
        ),
        ("the neighbour's token", front.program(&token)),
        ("nobody", front.nobody()),
    ];
    let schema = Schema::of(&house.owner).await?;
    let mut connection = front.database.connect().await?;
    let before = contents(&mut connection, &house.tenant).await?;
    let mut asked = 0;
    for kind in ["query", "mutation"] {
        let root = if kind == "query" { "Query" } else { "Mutation" };
        for field in schema.fields(root) {
            // These end or make sessions of the caller's own, and have tests of their own.
            if [
                "signUp",
                "signIn",
                "signOut",
                "sessionRevoke",
                "passwordChange",
                "userUpdate",
            ]
            .contains(&name(&field))
            {
                continue;
            }
            let takes_id = schema.call(kind, &field, "an-id", "a-word").contains("an-id");
            let ids = if takes_id { &house.ids[..] } else { &house.ids[..1] };
            for id in ids {
                // A word of the neighbour's own: what comes back of it is no leak.
                let call = schema.call(kind, &field, id, "word@example.org");
                for (who, caller) in &callers {
                    let answer = caller.ask(&call, json!({})).await?;
                    assert_eq!(answer.status, 200, "{who}: {call}: {}", answer.body);
                    assert_ne!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{call}: {}", answer.body);
                    assert_ne!(answer.code(), "UNAVAILABLE", "{who}: {call}: {}", answer.body);
                    let found = leak(&house, &answer.body);
                    assert!(found.is_none(), "{who} learns {found:?} by {call}: {}", answer.body);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 1_000, "only {asked} calls were made");
    assert_eq!(
        contents(&mut connection, &house.tenant).await?,
        before,
        "something was changed"
    );

    // The owner, asking the same, finds things: the calls are not simply wrong.
    let mut found = BTreeSet::new();
    for field in schema.fields("Query") {
        for id in &house.ids {
            let call = schema.call("query", &field, id, "word@example.org");
            let answer = house.owner.ask(&call, json!({})).await?;
            if leak(&house, &answer.body).is_some() {
                found.insert(name(&field).to_owned());
            }
        }
    }
    let all: BTreeSet<_> = schema
        .fields("Query")
        .iter()
        .map(|field| name(field).to_owned())
        .collect();
    let without: Vec<_> = all.difference(&found).map(String::as_str).collect();
    assert_eq!(without, ["invitationPreview"], "the owner finds nothing there either");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_say_nothing_to_neighbours() -> Outcome {
    let front = Front::fresh().await?;
    let house = furnish(&front, "Ada").await?;
    let neighbour = furnish(&front, "Neighbour").await?;
    let schema = Schema::of(&house.owner).await?;
    let place = Place {
        tenant_id: neighbour.tenant.parse()?,
        environment: Environment::Live,
        role: Some(Role::Owner),
    };
    let identity = neighbour
        .owner
        .ask("{ me { id sessions { nodes { id } } } }", json!({}))
        .await?;
    let actor = Actor::User {
        user_id: identity.text("/me/id")?.parse()?,
        session_id: identity.text("/me/sessions/nodes/0/id")?.parse()?,
        name: "Neighbour".into(),
    };
    for (who, op) in [
        (
            "the neighbour",
            Op::new(front.services.clone(), actor, Some(place), From::default()),
        ),
        (
            "nobody",
            Op::new(front.services.clone(), Actor::Nobody, None, From::default()),
        ),
    ] {
        for field in schema.fields("Subscription") {
            for id in &house.ids {
                let call = schema.call("subscription", &field, id, "word");
                if !call.contains(id.as_str()) {
                    continue;
                }
                let request = Request::new(call.clone())
                    .data(graphql::loaders(op.clone()))
                    .data(op.clone());
                let executing = graphql::schema();
                let first = executing
                    .execute_stream(request)
                    .next()
                    .await
                    .context("no answer at all")?;
                assert!(!first.errors.is_empty(), "{who} is answered: {call}");
                let found = leak(&house, &json!(first));
                assert!(found.is_none(), "{who} learns {found:?} by {call}");
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lower_roles_and_tokens_do_only_what_they_may() -> Outcome {
    let front = Front::fresh().await?;
    let house = furnish(&front, "Ada").await?;
    let schema = Schema::of(&house.owner).await?;
    let mut connection = front.database.connect().await?;
    let member = "mutation($e: String!, $r: Role!) { invitationCreate(input: { email: $e, role: $r }) { secret } }";
    let accept = "mutation($s: String!) { invitationAccept(input: { secret: $s }) { tenant { id } } }";
    let mut callers = Vec::new();
    for role in &Role::ALL[1..] {
        let person = format!("{role:?}");
        let (caller, _) = front.sign_up(&person).await?;
        let variables = json!({ "e": headwater_tests::front::email(&person), "r": person.to_uppercase() });
        let secret = house
            .owner
            .ask(member, variables)
            .await?
            .text("/invitationCreate/secret")?;
        caller
            .ask(accept, json!({ "s": secret }))
            .await?
            .data("/invitationAccept/tenant/id")?;
        callers.push((
            person,
            caller.with("headwater-tenant", &house.tenant),
            role.actions().to_vec(),
        ));
    }
    let create = "mutation($a: [Action!]!) { apiTokenCreate(input: { name: \"one\", environment: LIVE, actions: $a }) { secret } }";
    for (action, word) in Action::ALL {
        let made = house.owner.ask(create, json!({ "a": [word.to_uppercase()] })).await?;
        callers.push((
            format!("a token for {word}"),
            front.program(&made.text("/apiTokenCreate/secret")?),
            vec![action],
        ));
    }
    callers.push(("nobody".into(), front.nobody(), Vec::new()));
    let before = contents(&mut connection, &house.tenant).await?;
    let mut refused = 0;
    for kind in ["query", "mutation"] {
        let root = if kind == "query" { "Query" } else { "Mutation" };
        for field in schema.fields(root) {
            let Some(needed) = needs(name(&field)) else { continue };
            let call = schema.call(kind, &field, &house.ids[1], "word@example.org");
            for (who, caller, actions) in &callers {
                let is_person = !who.starts_with("a token") && who != "nobody";
                let may = match needed {
                    None => is_person,
                    Some(action) => actions.contains(&action),
                };
                if may {
                    continue;
                }
                let answer = caller.ask(&call, json!({})).await?;
                assert!(
                    ["FORBIDDEN", "UNAUTHENTICATED"].contains(&answer.code()),
                    "{who}: {call}: {}",
                    answer.body
                );
                let found = leak(&house, &answer.body);
                assert!(found.is_none(), "{who} learns {found:?} by {call}");
                refused += 1;
            }
        }
    }
    for field in schema.fields("Subscription") {
        needs(name(&field));
    }
    assert!(refused > 200, "only {refused} calls were refused");
    assert_eq!(
        contents(&mut connection, &house.tenant).await?,
        before,
        "something was changed"
    );
    Ok(())
}

/// What the application forgets, PostgreSQL refuses: no statement in the api's roles reaches another tenant's rows.
#[tokio::test]
async fn the_roles_of_the_api_cannot_see_past_row_level_security() -> Outcome {
    let front = Front::fresh().await?;
    let house = furnish(&front, "Ada").await?;
    let neighbour = furnish(&front, "Neighbour").await?;
    let mut connection = PgConnection::connect(front.database.url.reveal()).await?;
    let free: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolname like 'headwater\\_%' and (rolsuper or rolbypassrls or rolcanlogin)",
    )
    .fetch_all(&mut connection)
    .await?;
    assert!(free.is_empty(), "{free:?} bypass row-level security or log in");
    let open: Vec<String> = sqlx::query_scalar(
        "select c.table_name::text from information_schema.columns c \
         join pg_class t on t.relname = c.table_name and t.relnamespace = 'public'::regnamespace \
         where c.table_schema = 'public' and c.column_name = 'tenant_id' and not t.relrowsecurity",
    )
    .fetch_all(&mut connection)
    .await?;
    assert!(open.is_empty(), "{open:?} have tenants and no row-level security");

    sqlx::query("set role headwater_tenant")
        .execute(&mut connection)
        .await?;
    sqlx::query("select set_config('headwater.tenant_id', $1, false)")
        .bind(&neighbour.tenant)
        .execute(&mut connection)
        .await?;
    let readable = [
        "tenant",
        "channel",
        "stream_key",
        "playback_id",
        "broadcast",
        "publish",
        "lease",
        "asset",
        "member",
        "invitation",
        "api_token",
        "audit_entry",
        "idempotency",
        "event_counter",
        "webhook_event",
        "webhook_endpoint",
        "webhook_queue",
        "webhook_delivery",
        "signing_key",
        "playback_revocation",
    ];
    for table in readable {
        let count = format!("select count(*) from {table} where tenant_id = $1");
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(&house.tenant)
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(seen, 0, "{table} shows another tenant's rows");
    }
    let written = sqlx::query("update channel set title = 'mine' where tenant_id = $1")
        .bind(&house.tenant)
        .execute(&mut connection)
        .await?;
    assert_eq!(written.rows_affected(), 0);
    let moved = sqlx::query("update channel set tenant_id = $1 where tenant_id = $2")
        .bind(&house.tenant)
        .bind(&neighbour.tenant)
        .execute(&mut connection)
        .await;
    assert!(moved.is_err(), "a row was given to another tenant");
    let people: i64 = sqlx::query_scalar("select count(*) from user_account")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(people, 1, "a tenant sees its own people alone");
    for forbidden in [
        "select 1 from session",
        "select password_hash from user_account",
        "delete from audit_entry",
    ] {
        assert!(
            sqlx::query(forbidden).execute(&mut connection).await.is_err(),
            "{forbidden}"
        );
    }
    Ok(())
}
