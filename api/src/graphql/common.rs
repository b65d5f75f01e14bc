//! What every noun of the schema uses: scalars, connections, payloads.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{
    Context, ID, InputValueError, InputValueResult, ObjectType, OutputType, Result, Scalar, ScalarType, SimpleObject,
    Value,
};
use chrono::{DateTime, Utc};

use crate::op::Op;
use crate::page::Paged;
use crate::problem::{Answer, Code, Problem};

/// An instant, RFC 3339 in UTC: 2026-01-02T03:04:05.678Z
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub DateTime<Utc>);

#[Scalar(name = "DateTime")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let parsed = DateTime::parse_from_rfc3339(text);
        let parsed = parsed.map_err(|_| InputValueError::custom("an instant looks like 2026-01-02T03:04:05Z"))?;
        let at = parsed.to_utc();
        // What PostgreSQL keeps and people mean.
        match (1970..=9999).contains(&chrono::Datelike::year(&at)) {
            true => Ok(Self(at)),
            false => Err(InputValueError::custom("a year lies between 1970 and 9999")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }
}

/// A whole number up to 2^53, as a JSON number: bytes, bits/s, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Long(pub i64);

#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        const MOST: i64 = 1 << 53;
        match &value {
            Value::Number(number) => match number.as_i64().filter(|n| (-MOST..=MOST).contains(n)) {
                Some(n) => Ok(Self(n)),
                None => Err(InputValueError::custom(
                    "a whole number between -2^53 and 2^53 is wanted",
                )),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// Something in a mutation's input that its caller can mend.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// Stable word to branch on.
    pub code: Code,
    /// Path into the arguments, such as ["input", "title"] or ["input", "ladder", "steps", "0", "fpsMax"]; null when no single field is to blame.
    pub field: Option<Vec<String>>,
    /// One sentence for people.
    pub message: String,
    /// Where the code is explained.
    pub docs_url: String,
}

/// A payload that can say what the caller must mend.
pub(in crate::graphql) trait Refusable {
    fn refused(errors: Vec<UserError>) -> Self;
}

/// Declares a mutation's payload: its fields, all of which can be null, and `userErrors`.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default, async_graphql::SimpleObject)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What to mend; empty when everything was done.
            pub user_errors: Vec<$crate::graphql::common::UserError>,
        }

        impl $name {
            /// Everything was done; a member that can be null is given as it is.
            pub(in crate::graphql) fn done($($field: impl Into<$type>),*) -> Self {
                Self { $($field: $field.into(),)* user_errors: Vec::new() }
            }
        }

        impl $crate::graphql::common::Refusable for $name {
            fn refused(user_errors: Vec<$crate::graphql::common::UserError>) -> Self {
                Self { user_errors, ..Self::default() }
            }
        }
    };
}
pub(in crate::graphql) use payload;

/// A mutation's answer: what was done, or what to mend; everything else is a GraphQL error.
pub(in crate::graphql) fn settle<T, P: Refusable>(op: &Op, answer: Answer<T>, done: impl FnOnce(T) -> P) -> Result<P> {
    match answer {
        Ok(outcome) => Ok(done(outcome)),
        Err(Problem::Mend { code, field, message }) => Ok(P::refused(vec![UserError {
            code,
            field: field.map(|field| {
                let within = field.split('.').map(str::to_owned);
                std::iter::once("input".to_owned()).chain(within).collect()
            }),
            message,
            docs_url: op.services().urls.error_page(code),
        }])),
        Err(problem) => Err(problem.into()),
    }
}

/// Reads an id; one of another kind or form is an id that does not exist.
pub(in crate::graphql) fn parse<T: std::str::FromStr>(id: &ID) -> Option<T> {
    id.parse().ok()
}

/// Answers with the object of an id, for those who may do `$action`: what `$find` finds, or nothing.
macro_rules! found {
    ($ctx:expr, $action:ident, $id:expr, $find:path => $wrap:path) => {{
        let op = $crate::op::Op::of($ctx);
        op.require($crate::access::Action::$action)?;
        match $crate::graphql::common::parse(&$id) {
            Some(id) => Ok($find(op, id).await?.map($wrap)),
            None => Ok(None),
        }
    }};
}
pub(in crate::graphql) use found;

/// As [`parse`], for a mutation: `what` is the noun of the sentence.
pub(in crate::graphql) fn wanted<T: std::str::FromStr>(id: &ID, field: &'static str, what: &str) -> Answer<T> {
    parse(id).ok_or_else(|| Problem::not_found(field, what))
}

/// Rows of the whole list, over all pages.
#[derive(SimpleObject)]
pub struct Total {
    /// Rows of the whole list, over all pages.
    total_count: i32,
}

/// A list by cursor that knows how long it is.
pub type Counted<T> = Connection<String, T, Total>;
/// A list by cursor.
pub type Uncounted<T> = Connection<String, T>;

/// Whether the caller asks how long the list is: counting is a statement of its own.
pub(in crate::graphql) fn counts(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

pub(in crate::graphql) fn counted<R, T: OutputType>(paged: Paged<R>, wrap: impl Fn(R) -> T) -> Counted<T> {
    let total_count = i32::try_from(paged.total).unwrap_or(i32::MAX);
    listed(paged, wrap, Total { total_count })
}

pub(in crate::graphql) fn uncounted<R, T: OutputType>(paged: Paged<R>, wrap: impl Fn(R) -> T) -> Uncounted<T> {
    listed(paged, wrap, EmptyFields)
}

fn listed<R, T: OutputType, F: ObjectType>(
    paged: Paged<R>,
    wrap: impl Fn(R) -> T,
    fields: F,
) -> Connection<String, T, F> {
    let mut connection = Connection::with_additional_fields(paged.previous, paged.next, fields);
    let edges = paged.rows.into_iter().map(|(cursor, row)| Edge::new(cursor, wrap(row)));
    connection.edges.extend(edges);
    connection
}

/// What a page costs: its rows times what is asked of each.
pub(in crate::graphql) fn page_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let rows = first.or(last).unwrap_or(crate::page::PAGE_DEFAULT as i32);
    1 + usize::try_from(rows.clamp(1, crate::page::PAGE_MAX)).unwrap_or(1) * child
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
pub enum OrderDirection {
    /// Lowest first.
    Asc,
    /// Highest first.
    Desc,
}

/// Where encoders push.
#[derive(SimpleObject)]
pub struct IngestAddresses {
    /// The server to enter in an encoder; the stream key goes into a field of its own, or after a slash.
    rtmp: String,
}

pub(in crate::graphql) fn ingest(ctx: &Context<'_>) -> IngestAddresses {
    IngestAddresses {
        rtmp: Op::of(ctx).services().urls.api_ingest_url.clone(),
    }
}
