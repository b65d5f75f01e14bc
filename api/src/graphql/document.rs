//! Documents from outside, bounded before anything else looks at them.
//!
//! The library's own limits are checked by walking the document with every fragment spread where it is used, and its parser
//! goes as deep as the text does. So a text that nests deeply, and thirty fragments that spread one another twice, are refused
//! here: by counting brackets, and by adding up each fragment once. Introspection gets a bound of its own, because
//! its lists have no page size that a cost could be made from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::ServerError;
use async_graphql::parser::Error;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

/// Bytes of a document at most.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// Brackets of any kind within brackets at most.
const NESTING_MAX: usize = 64;
/// Fragments of a document at most.
const FRAGMENTS_MAX: usize = 200;
/// Fields of a document at most, with every fragment counted wherever it is spread.
pub const FIELDS_MAX: u64 = 5_000;
/// Changes that one request makes at most.
pub const MUTATIONS_MAX: usize = 25;
/// Objects of introspection at most, by [`rows`]: a client's whole look at the schema takes about a third.
const INTROSPECTION_MAX: u64 = 500_000;

/// Bytes of a document that is remembered at most.
const REMEMBERED_BYTES_MAX: usize = 4 * 1024;
/// Bytes of all of them at most; read, they take some twenty times as much. Beyond it all are forgotten.
const REMEMBERED_BYTES_TOTAL: usize = 512 * 1024;

/// Why a document is not looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Longer than it may be.
    #[error("A document has at most {DOCUMENT_BYTES_MAX} bytes.")]
    Long,
    /// Deeper than it may be.
    #[error("A document has at most {NESTING_MAX} brackets within one another.")]
    Deep,
    /// A string without an end.
    #[error("A block string has no end.")]
    Unended,
    /// Not GraphQL.
    #[error("{0}")]
    Malformed(#[from] Error),
    /// Too many of them.
    #[error("A document has at most {FRAGMENTS_MAX} fragments.")]
    Fragments,
    /// Spreads itself.
    #[error("The fragment {0} spreads itself.")]
    Cycle(String),
    /// Too many of them.
    #[error("A document has at most {FIELDS_MAX} fields, with its fragments spread out.")]
    Fields,
    /// Too many of them.
    #[error("A request makes at most {MUTATIONS_MAX} changes.")]
    Mutations,
    /// Too much of the schema at a time.
    #[error("This asks for too much of the schema at a time: nest fields, types and args less.")]
    Introspection,
}

impl Refused {
    /// Whether the text was not read at all, rather than judged.
    pub fn is_syntax(&self) -> bool {
        matches!(self, Self::Long | Self::Deep | Self::Unended | Self::Malformed(_))
    }

    /// Its `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self.is_syntax() {
            true => "GRAPHQL_PARSE_FAILED",
            false => "GRAPHQL_VALIDATION_FAILED",
        }
    }
}

/// Reads a document.
pub fn parse(text: &str) -> Result<ExecutableDocument, Refused> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(Refused::Long);
    }
    check_nesting(text.as_bytes())?;
    let document = async_graphql::parser::parse_query(text)?;
    check_size(&document)?;
    Ok(document)
}

/// Gives a code to what was wrong with a value, which the library finds out as late as the field that wants it. Ours have one.
pub(crate) fn mark_input(errors: &mut [ServerError]) {
    for error in errors.iter_mut().filter(|error| !error.path.is_empty()) {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", "BAD_INPUT");
        }
    }
}

/// Documents that were read before: programs send the same few again and again, and reading costs more than many an answer.
#[derive(Default)]
pub struct Documents {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_text: HashMap<String, Arc<ExecutableDocument>>,
    bytes: usize,
}

impl Documents {
    /// As [`parse`], from memory where it can be.
    pub fn read(&self, text: &str) -> Result<ExecutableDocument, Refused> {
        if text.len() > REMEMBERED_BYTES_MAX {
            return parse(text);
        }
        let found = self.known().by_text.get(text).cloned();
        if let Some(document) = found {
            return Ok(ExecutableDocument::clone(&document));
        }
        let document = parse(text)?;
        let mut known = self.known();
        if known.bytes + text.len() > REMEMBERED_BYTES_TOTAL {
            *known = Known::default();
        }
        let before = known.by_text.insert(text.to_owned(), Arc::new(document.clone()));
        known.bytes += if before.is_none() { text.len() } else { 0 };
        Ok(document)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts brackets outside of strings and comments.
fn check_nesting(text: &[u8]) -> Result<(), Refused> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Err(Refused::Deep);
                }
            }
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => at += length(&text[at..], |rest| matches!(rest[0], b'\n' | b'\r')),
            b'"' if text[at..].starts_with(b"\"\"") => at = block_end(text, at + 2).ok_or(Refused::Unended)?,
            b'"' => at = string_end(text, at),
            _ => {}
        }
    }
    Ok(())
}

/// Bytes before the first for which `ends` holds.
fn length(text: &[u8], ends: impl Fn(&[u8]) -> bool) -> usize {
    (0..text.len()).find(|at| ends(&text[*at..])).unwrap_or(text.len())
}

/// Behind a block string whose content begins at `from`. A parser that finds no end would read it as two strings.
fn block_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
    None
}

/// Behind a string whose content begins at `from`. No parser goes on behind one that has no end on its line.
fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' | b'\n' | b'\r' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn check_size(document: &ExecutableDocument) -> Result<(), Refused> {
    if document.fragments.len() > FRAGMENTS_MAX {
        return Err(Refused::Fragments);
    }
    let mut sizes = Sizes {
        document,
        known: HashMap::new(),
    };
    let mut whole = Size::default();
    for (_, operation) in document.operations.iter() {
        let selected = &operation.node.selection_set.node;
        if operation.node.ty == OperationType::Mutation && sizes.roots(selected)? > MUTATIONS_MAX as u64 {
            return Err(Refused::Mutations);
        }
        whole = whole.and(sizes.of(selected, false)?);
    }
    // Fragments that nobody spreads are walked as well.
    for name in document.fragments.keys() {
        sizes.fragment(name, false)?;
    }
    if whole.fields > FIELDS_MAX {
        return Err(Refused::Fields);
    }
    if whole.introspected > INTROSPECTION_MAX {
        return Err(Refused::Introspection);
    }
    Ok(())
}

/// What a selection comes to. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    fields: u64,
    introspected: u64,
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            introspected: self.introspected.saturating_add(other.introspected),
        }
    }
}

/// Entries that a list of introspection has, about.
fn rows(field: &str) -> u64 {
    match field {
        "types" => 200,
        "fields" => 8,
        "inputFields" | "enumValues" => 6,
        "possibleTypes" | "directives" => 4,
        "args" => 2,
        _ => 1,
    }
}

/// Adds up each fragment once.
struct Sizes<'d> {
    document: &'d ExecutableDocument,
    /// By name and whether within introspection; `None` while it is being added up.
    known: HashMap<(&'d str, bool), Option<Size>>,
}

impl<'d> Sizes<'d> {
    fn of(&mut self, selected: &'d SelectionSet, introspection: bool) -> Result<Size, Refused> {
        let mut whole = Size::default();
        for selection in &selected.items {
            let size = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let inside = introspection || matches!(name, "__schema" | "__type");
                    let within = self.of(&field.node.selection_set.node, inside)?;
                    let each = within.introspected.saturating_add(u64::from(inside));
                    Size {
                        fields: within.fields.saturating_add(1),
                        introspected: each.saturating_mul(if inside { rows(name) } else { 1 }),
                    }
                }
                Selection::InlineFragment(inline) => self.of(&inline.node.selection_set.node, introspection)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, introspection)?,
            };
            whole = whole.and(size);
        }
        Ok(whole)
    }

    /// A fragment that there is not comes to nothing: validation names it.
    fn fragment(&mut self, name: &'d str, introspection: bool) -> Result<Size, Refused> {
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Size::default());
        };
        match self.known.get(&(name, introspection)) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(Refused::Cycle(name.to_owned())),
            None => {}
        }
        self.known.insert((name, introspection), None);
        let size = self.of(&fragment.node.selection_set.node, introspection)?;
        // A spread is a step of its own for whoever walks the document.
        let size = Size {
            fields: size.fields.saturating_add(1),
            ..size
        };
        self.known.insert((name, introspection), Some(size));
        Ok(size)
    }

    /// Fields of the operation itself.
    fn roots(&self, selected: &SelectionSet) -> Result<u64, Refused> {
        self.roots_within(selected, 0)
    }

    fn roots_within(&self, selected: &SelectionSet, depth: usize) -> Result<u64, Refused> {
        let mut count = 0u64;
        for selection in &selected.items {
            let more = match &selection.node {
                Selection::Field(_) => 1,
                Selection::InlineFragment(inline) => self.roots_within(&inline.node.selection_set.node, depth)?,
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    // One spread within another is nobody's way to write a mutation.
                    if depth > 0 {
                        return Err(Refused::Mutations);
                    }
                    match self.document.fragments.get(name) {
                        Some(fragment) => self.roots_within(&fragment.node.selection_set.node, depth + 1)?,
                        None => 0,
                    }
                }
            };
            count = count.saturating_add(more);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_is_read() {
        let introspection = "query { __schema { queryType { name } types { ...Full } directives { name args { ...Input } } } }
            fragment Full on __Type { kind name description fields(includeDeprecated: true) { name description
                args { ...Input } type { ...Ref } isDeprecated deprecationReason } inputFields { ...Input }
                interfaces { ...Ref } enumValues(includeDeprecated: true) { name description isDeprecated } possibleTypes { ...Ref } }
            fragment Input on __InputValue { name description type { ...Ref } defaultValue }
            fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
                ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";
        for text in [
            introspection,
            "{ a(b: \"{{{{[[[(((\", c: \"\"\"{ \\\"\"\" \" [\"\"\") # {{{{\n { d } }",
            "mutation { a b c }",
            "{ a(s: \"\") { b } }",
        ] {
            parse(text).unwrap_or_else(|refused| panic!("{refused}: {text}"));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_same() {
        let documents = Documents::default();
        for _ in 0..2 {
            let document = documents.read("query A { me { id } }").expect("a document");
            assert_eq!(document.operations.iter().count(), 1);
        }
        assert_eq!(documents.known().bytes, 21);
        assert!(documents.read("{ ").is_err());
        let long = format!("{{ me {{ id }} }} # {}", "x".repeat(REMEMBERED_BYTES_MAX));
        documents.read(&long).expect("a document");
        assert_eq!(
            documents.known().by_text.len(),
            1,
            "neither what is wrong nor what is long"
        );
        for n in 0..1_000 {
            let text = format!("{{ a{n}: me {{ id }} }} # {}", "x".repeat(3_000));
            documents.read(&text).expect("a document");
            assert!(documents.known().bytes <= REMEMBERED_BYTES_TOTAL);
        }
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        let doubling = |last: &str| -> String {
            let steps = (0..30).map(|n| format!("fragment F{n} on Q {{ ...F{} ...F{} }} ", n + 1, n + 1));
            format!("{{ ...F0 }} {} {last}", steps.collect::<String>())
        };
        let chain = (0..300).map(|n| format!("fragment F{n} on Q {{ ...F{} }} ", n + 1));
        let chain = format!("{{ a }} {}", chain.collect::<String>());
        let nested = |open: &str, close: &str, times| format!("{}a{}", open.repeat(times), close.repeat(times));
        let deeper = nested("fields { type { ", " } } ", 8);
        let introspection = format!("{{ __schema {{ types {{ {deeper} }} }} }}");
        type Right = fn(&Refused) -> bool;
        let cases: [(String, Right); 12] = [
            (" ".repeat(DOCUMENT_BYTES_MAX + 1), |r| matches!(r, Refused::Long)),
            ("{".repeat(60_000), |r| matches!(r, Refused::Deep)),
            (
                nested("{a(b: ", ")}", 1).replace(": a", &format!(": {}", "[".repeat(60_000))),
                |r| matches!(r, Refused::Deep),
            ),
            (
                format!("query($a: {}I{}) {{ a }}", "[".repeat(100), "]".repeat(100)),
                |r| matches!(r, Refused::Deep),
            ),
            (format!("{{ a(b: [\"\"\" \" {}", "[".repeat(60_000)), |r| {
                matches!(r, Refused::Unended)
            }),
            (format!("{{ a(b: \"\n\") {}", "{ a".repeat(100)), |r| {
                matches!(r, Refused::Deep | Refused::Malformed(_))
            }),
            (doubling("fragment F30 on Q { a }"), |r| matches!(r, Refused::Fields)),
            (doubling("fragment F30 on Q { ...F0 }"), |r| {
                matches!(r, Refused::Cycle(_))
            }),
            ("{ a } fragment F on Q { ...F }".into(), |r| {
                matches!(r, Refused::Cycle(_))
            }),
            (chain, |r| matches!(r, Refused::Fragments)),
            (
                format!(
                    "mutation {{ {} }}",
                    (0..26).map(|n| format!("a{n}: signOut ")).collect::<String>()
                ),
                |r| matches!(r, Refused::Mutations),
            ),
            (introspection, |r| matches!(r, Refused::Introspection)),
        ];
        for (text, right) in cases {
            let start: String = text.chars().take(80).collect();
            let refused = parse(&text).expect_err(&start);
            assert!(right(&refused), "{refused:?}: {start}");
        }
    }
}
