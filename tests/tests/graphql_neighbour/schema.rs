//! The schema as introspection tells it, and calls made from it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use headwater_tests::front::Caller;
use serde_json::{Value, json};

/// The types of the schema by name.
pub(crate) struct Schema {
    types: BTreeMap<String, Value>,
}

const INTROSPECTION: &str = "{ __schema { types { kind name
    fields { name args { name defaultValue type { ...T } } type { ...T } }
    inputFields { name defaultValue type { ...T } } enumValues { name } possibleTypes { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

impl Schema {
    pub(crate) async fn of(caller: &Caller) -> anyhow::Result<Self> {
        let told = caller.ask(INTROSPECTION, json!({})).await?;
        let types = told.data("/__schema/types")?.as_array().context("no types")?.clone();
        let named = types
            .into_iter()
            .filter_map(|t| Some((t["name"].as_str()?.to_owned(), t)));
        Ok(Self { types: named.collect() })
    }

    pub(crate) fn fields(&self, of: &str) -> Vec<Value> {
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
    pub(crate) fn call(&self, kind: &str, field: &Value, id: &str, mark: &str) -> String {
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

pub(crate) fn name(field: &Value) -> &str {
    field["name"].as_str().unwrap_or_default()
}
