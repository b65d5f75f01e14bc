//! Tenants stay apart, and roles too: every query, mutation and subscription of the schema, found by introspection, is asked
//! for a tenant's objects by its neighbour, by nobody, and by every role and token that may not; each gets nothing and changes
//! nothing. A field that is new in the schema is asked as well, and needs a line in [`needs`](needs::needs).

mod house;
mod needs;
mod roles;
mod row_security;
mod schema;

use std::collections::BTreeSet;

use anyhow::Context as _;
use async_graphql::Request;
use futures::StreamExt as _;
use headwater_api::access::{Action, Environment, Role};
use headwater_api::graphql;
use headwater_api::op::{Actor, Caller as From, Op, Place};
use headwater_tests::front::Front;
use serde_json::json;

use house::{contents, furnish, leak};
use needs::OWN_SESSIONS;
use schema::{Schema, name};

type Outcome = anyhow::Result<()>;

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
            if OWN_SESSIONS.contains(&name(&field)) {
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
    assert_eq!(
        without,
        ["invitationPreview", "signInOptions"],
        "the owner finds nothing there either"
    );
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
