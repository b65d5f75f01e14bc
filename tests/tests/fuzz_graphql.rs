//! Damaged and hostile GraphQL in bounded time and memory: a little of what `make fuzz` does for long, and shapes that chance
//! does not find.

use std::time::{Duration, Instant};

use headwater_api::fuzz::{TARGETS, graphql_document, graphql_request};
use headwater_media::fuzz::{Random, smoke};
use headwater_tests::proc::own_mib;

const ROUNDS: u64 = 300;
const SHAPES: u64 = 300;
/// One document, on a machine that others use too, compiled without optimisation.
const EACH_MAX: Duration = Duration::from_secs(10);
/// What all of it together may leave behind, MiB.
const GROWTH_MAX_MIB: f64 = 512.0;

#[test]
fn damaged_requests_are_answered_with_typed_errors() {
    for (name, target, seeds) in TARGETS {
        smoke(name, target, &seeds(), ROUNDS);
    }
}

/// A selection that may nest, repeat itself under aliases, spread fragments and introspect.
fn selection(random: &mut Random, depth: usize, fragments: usize, out: &mut String) {
    const FIELDS: [&str; 12] = [
        "channels(first: 100)",
        "nodes",
        "streamKeys(first: 100)",
        "channel",
        "__schema",
        "types",
        "fields",
        "type",
        "args",
        "possibleTypes",
        "node(id: \"ch_x\")",
        "tenant",
    ];
    out.push_str("{ __typename ");
    for n in 0..=random.below(4) {
        match random.below(6) {
            0 if fragments > 0 => out.push_str(&format!("...F{} ", random.below(fragments))),
            1 => out.push_str(&format!("a{n}: id ")),
            _ if depth > 0 => {
                out.push_str(&format!("a{n}: {} ", FIELDS[random.below(FIELDS.len())]));
                selection(random, depth - 1, fragments, out);
            }
            _ => out.push_str("id "),
        }
    }
    out.push_str("} ");
}

fn shape(random: &mut Random) -> String {
    let (depth, fragments) = (random.below(12), random.below(40));
    let mut text = ["query ", "mutation ", "subscription ", ""][random.below(4)].to_owned();
    selection(random, depth, fragments, &mut text);
    for n in 0..fragments {
        let on = ["Query", "Channel", "__Type", "__Schema", "Node"][random.below(5)];
        text.push_str(&format!("fragment F{n} on {on} "));
        let depth = random.below(3);
        selection(random, depth, fragments, &mut text);
    }
    text
}

#[test]
fn hostile_shapes_cost_little() {
    let before = own_mib(std::process::id());
    let mut random = Random::new(0x5eed_0f9e_3779_b97f);
    let mut documents: Vec<String> = (0..SHAPES).map(|_| shape(&mut random)).collect();
    let doubling: String = (0..31)
        .map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }} ", n + 1))
        .collect();
    let ring: String = (0..31)
        .map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }} ", (n + 1) % 31))
        .collect();
    let deeper = "fields { type { ".repeat(6);
    documents.extend([
        format!("{{ ...F0 }} {doubling} fragment F31 on Query {{ __typename }}"),
        format!("{{ ...F0 }} {ring}"),
        "{ a ".repeat(30_000),
        format!("{{ channels(after: {}", "[".repeat(60_000)),
        format!("{{ channels(after: {}", "{a:".repeat(20_000)),
        format!("query($a: {}", "[".repeat(60_000)),
        format!("{{ node(id: \"{}\") {{ id }} }}", "x".repeat(60_000)),
        format!("{{ node(id: {}) {{ id }} }}", "9".repeat(60_000)),
        format!("{{ node(id: 1e{}) {{ id }} }}", "9".repeat(300)),
        format!(
            "{{ {} }}",
            (0..6_000).map(|n| format!("a{n}: me {{ id }} ")).collect::<String>()
        ),
        format!("{{ {} }}", "nonsense ".repeat(5_000)),
        format!("{{ {} }}", "n".repeat(60_000)),
        format!("{{ me {{ {} }} }}", "id @skip(if: true) ".repeat(3_000)),
        format!("{{ me {{ id {} }} }}", "@include(if: true) ".repeat(3_000)),
        format!("{{ __schema {{ types {{ {deeper} name {} }} }} }}", "} } ".repeat(6)),
        format!(
            "mutation {{ {} }}",
            (0..1_000)
                .map(|n| format!("a{n}: signOut {{ signedOut }} "))
                .collect::<String>()
        ),
        format!(
            "query({}) {{ me {{ id }} }}",
            (0..3_000).map(|n| format!("$v{n}: Int ")).collect::<String>()
        ),
    ]);
    for document in documents {
        let (begun, start) = (Instant::now(), document.chars().take(100).collect::<String>());
        graphql_document(document.as_bytes());
        assert!(begun.elapsed() < EACH_MAX, "{:?}: {start}", begun.elapsed());
    }
    let nested = |open: &str, close: &str| {
        let inner = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        format!("{{\"query\": \"{{ me {{ id }} }}\", \"variables\": {{\"a\": {inner}}}}}")
    };
    for body in [
        nested("[", "]"),
        nested("{\"a\":", "}"),
        "[".repeat(200_000),
        format!("{{\"query\": {}", "\"\\u0000".repeat(20_000)),
        " ".repeat(255 * 1024),
    ] {
        let begun = Instant::now();
        graphql_request(body.as_bytes());
        assert!(begun.elapsed() < EACH_MAX);
    }
    let grown = own_mib(std::process::id()) - before;
    assert!(grown < GROWTH_MAX_MIB, "{grown} MiB are left behind");
}
