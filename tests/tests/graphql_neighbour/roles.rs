//! Roles and tokens of the tenant's own.

use headwater_api::access::{Action, Role};
use headwater_tests::front::Front;
use serde_json::json;

use crate::Outcome;
use crate::house::{contents, furnish, leak};
use crate::needs::needs;
use crate::schema::{Schema, name};

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
