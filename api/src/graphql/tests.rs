//! The checked-in schema: it is what the code makes, and nothing that callers rely on goes away unnoticed.

use std::collections::BTreeSet;
use std::path::Path;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

/// What callers of a schema rely on (first), and what it demands of them (second).
fn facts(sdl: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut offers, mut demands) = (BTreeSet::new(), BTreeSet::new());
    let mut input = |owner: &str, value: &InputValueDefinition| {
        offers.insert(format!("{owner} takes {}: {}", value.name.node, value.ty.node));
        if !value.ty.node.nullable && value.default_value.is_none() {
            demands.insert(format!("{owner} demands {}", value.name.node));
        }
    };
    let mut fields = |name: &str, all: &[async_graphql::Positioned<FieldDefinition>], out: &mut Vec<String>| {
        for field in all.iter().map(|field| &field.node) {
            out.push(format!("{name}.{} is {}", field.name.node, field.ty.node));
            for argument in &field.arguments {
                input(&format!("{name}.{}", field.name.node), &argument.node);
            }
        }
    };
    let mut found = Vec::new();
    let mut inputs = Vec::new();
    for definition in parse_schema(sdl).expect("a schema").definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = definition.node.name.node.to_string();
        match definition.node.kind {
            TypeKind::Object(object) => {
                fields(&name, &object.fields, &mut found);
                found.extend(
                    object
                        .implements
                        .iter()
                        .map(|other| format!("{name} implements {}", other.node)),
                );
            }
            TypeKind::Interface(interface) => fields(&name, &interface.fields, &mut found),
            TypeKind::Enum(values) => {
                found.extend(
                    values
                        .values
                        .iter()
                        .map(|value| format!("{name} has {}", value.node.value.node)),
                );
            }
            TypeKind::InputObject(object) => inputs.push((name, object.fields)),
            TypeKind::Scalar => found.push(format!("scalar {name}")),
            TypeKind::Union(union) => {
                found.extend(union.members.iter().map(|member| format!("{name} is {}", member.node)));
            }
        }
    }
    for (name, all) in inputs {
        for field in &all {
            input(&name, &field.node);
        }
    }
    offers.extend(found);
    (offers, demands)
}

/// What callers written for `old` would trip over in `new`.
fn breaks(old: &str, new: &str) -> Vec<String> {
    let ((old_offers, old_demands), (new_offers, new_demands)) = (facts(old), facts(new));
    let gone = old_offers.difference(&new_offers).map(|fact| format!("gone: {fact}"));
    let more = new_demands.difference(&old_demands).filter(|demand| {
        // A demand of something that did not exist before concerns nobody.
        let owner = demand.split(" demands ").next().unwrap_or_default();
        let known =
            |fact: &String| fact.starts_with(&format!("{owner} is ")) || fact.starts_with(&format!("{owner} takes "));
        old_offers.iter().any(known)
    });
    gone.chain(more.map(|fact| format!("new: {fact}"))).collect()
}

#[test]
fn the_schema_file_is_what_the_code_makes_and_breaks_nobody() {
    let made = super::sdl();
    let update = std::env::var("UPDATE_SCHEMA").unwrap_or_default();
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    let broken = if kept.is_empty() {
        Vec::new()
    } else {
        breaks(&kept, &made)
    };
    assert!(
        broken.is_empty() || update == "breaking",
        "this breaks those who call the api; deprecate instead, or, before the first release, say UPDATE_SCHEMA=breaking:\n{}",
        broken.join("\n")
    );
    if kept != made && !update.is_empty() {
        std::fs::write(Path::new(FILE), &made).expect("the file can be written");
    } else {
        assert!(
            kept == made,
            "api/schema.graphql is out of date: UPDATE_SCHEMA=1 cargo test -p headwater-api schema_file"
        );
    }
}

#[test]
fn what_breaks_callers_is_told_from_what_does_not() {
    let old = "type Query { a(b: Int): Int! c: E } enum E { X Y } input I { d: Int }";
    assert_eq!(breaks(old, old), Vec::<String>::new());
    let more =
        "type Query { a(b: Int, n: Int): Int! c: E new(x: Int!): Int } enum E { X Y Z } input I { d: Int, e: Int }";
    assert_eq!(breaks(old, more), Vec::<String>::new(), "additions break nobody");
    for (new, told) in [
        (
            "type Query { a(b: Int): Int! } enum E { X Y } input I { d: Int }",
            "gone: Query.c is E",
        ),
        (
            "type Query { a(b: Int): Int c: E } enum E { X Y } input I { d: Int }",
            "gone: Query.a is Int!",
        ),
        (
            "type Query { a(b: Int): Int! c: E } enum E { X } input I { d: Int }",
            "gone: E has Y",
        ),
        (
            "type Query { a: Int! c: E } enum E { X Y } input I { d: Int }",
            "gone: Query.a takes b: Int",
        ),
        (
            "type Query { a(b: Int, n: Int!): Int! c: E } enum E { X Y } input I { d: Int }",
            "new: Query.a demands n",
        ),
        (
            "type Query { a(b: Int): Int! c: E } enum E { X Y } input I { d: Int e: Int! }",
            "new: I demands e",
        ),
    ] {
        assert_eq!(breaks(old, new), [told], "{new}");
    }
}

#[test]
fn every_mutation_answers_with_user_errors() {
    let schema = super::schema();
    let sdl = schema.sdl();
    for definition in parse_schema(&sdl).expect("a schema").definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let (name, TypeKind::Object(object)) = (&definition.node.name.node, &definition.node.kind) else {
            continue;
        };
        if name.ends_with("Payload") {
            let told = object.fields.iter().any(|field| field.node.name.node == "userErrors");
            assert!(told, "{name} has no userErrors");
        }
    }
}
