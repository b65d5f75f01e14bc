//! Pages of a list by keyset: a cursor names the last row seen, so rows that come and go meanwhile shift nothing.

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use crate::problem::{Answer, Problem};

/// Rows of a page when the caller does not say.
pub const PAGE_DEFAULT: u32 = 25;
/// Rows of a page at most.
pub const PAGE_MAX: i32 = 100;
/// Bytes of a cursor at most.
const CURSOR_BYTES_MAX: usize = 2_048;

/// Which rows of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// At most so many.
    pub limit: u32,
    /// The last ones rather than the first.
    pub backwards: bool,
    after: Option<Key>,
    before: Option<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    sort: String,
    id: String,
}

/// How a list is sorted: by a column, then by id.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Column with its table: `c.created_at`.
    pub column: &'static str,
    /// Column of the id.
    pub id: &'static str,
    /// Type of the column in PostgreSQL.
    pub cast: &'static str,
    /// Highest first.
    pub descending: bool,
}

impl Order {
    /// Newest first, by the time in `column`.
    pub const fn newest(column: &'static str, id: &'static str) -> Self {
        Self {
            column,
            id,
            cast: "timestamptz",
            descending: true,
        }
    }
}

impl Page {
    /// Reads the four arguments of a connection.
    pub fn new(first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> Answer<Self> {
        let (limit, backwards) = match (first, last) {
            (Some(_), Some(_)) => return Err(Problem::bad_input("Ask for the first or for the last, not for both.")),
            (Some(n), None) => (n, false),
            (None, Some(n)) => (n, true),
            (None, None) => (PAGE_DEFAULT as i32, false),
        };
        if !(0..=PAGE_MAX).contains(&limit) {
            return Err(Problem::bad_input(format!(
                "A page has 0 to {PAGE_MAX} rows, not {limit}."
            )));
        }
        let key = |cursor: Option<String>| cursor.map(|cursor| Key::parse(&cursor)).transpose();
        Ok(Self {
            limit: limit.unsigned_abs(),
            backwards,
            after: key(after)?,
            before: key(before)?,
        })
    }

    /// Reads the page, and how long the whole list is where `count` says so. `list` goes on from `select …` with `from` and
    /// `where`; `columns` are those of a row, and `key` is its sort column's text and its id.
    pub(crate) async fn read<T>(
        &self,
        on: &mut PgConnection,
        count: bool,
        columns: &str,
        order: Order,
        list: impl Fn(String) -> QueryBuilder<Postgres>,
        key: impl Fn(&T) -> (String, String),
    ) -> Answer<Paged<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let total = match count {
            true => {
                let mut counted = list("select count(*)".to_owned());
                counted.build_query_scalar().fetch_one(&mut *on).await?
            }
            false => 0,
        };
        let mut query = list(format!("select {columns}"));
        self.seek(&mut query, order);
        let rows = query.build_query_as().fetch_all(on).await?;
        Ok(Paged::of(rows, self, total, key))
    }

    /// Adds conditions, order and limit to a query that has a `where`. One row more than asked for is fetched, to know
    /// whether there are more.
    pub fn seek(&self, query: &mut QueryBuilder<Postgres>, order: Order) {
        let ends = [(&self.after, order.descending), (&self.before, !order.descending)];
        for (key, below) in ends {
            let Some(key) = key else { continue };
            let sign = if below { '<' } else { '>' };
            query.push(format_args!(" and ({}, {}) {sign} (", order.column, order.id));
            query.push_bind(key.sort.clone());
            query.push(format_args!("::text::{}, ", order.cast));
            query.push_bind(key.id.clone());
            query.push(")");
        }
        let direction = if order.descending == self.backwards {
            "asc"
        } else {
            "desc"
        };
        query.push(format_args!(
            " order by {} {direction}, {} {direction} limit {}",
            order.column,
            order.id,
            self.limit + 1
        ));
    }
}

impl Key {
    fn parse(cursor: &str) -> Answer<Self> {
        let damaged = || Problem::bad_input("This cursor is damaged: pass back one that a page gave you.");
        if cursor.len() > CURSOR_BYTES_MAX {
            return Err(damaged());
        }
        let bytes = unhex(cursor).ok_or_else(damaged)?;
        let (check, text) = bytes.split_at_checked(4).ok_or_else(damaged)?;
        if check != checksum(text) {
            return Err(damaged());
        }
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        let (id, sort) = text.split_once(' ').ok_or_else(damaged)?;
        Ok(Self {
            sort: sort.to_owned(),
            id: id.to_owned(),
        })
    }
}

/// The cursor of a row. Opaque: its form may change, and it holds nothing that the row does not show.
pub fn cursor(sort: &str, id: &str) -> String {
    let text = format!("{id} {sort}");
    crate::secret::hex(&checksum(text.as_bytes())) + &crate::secret::hex(text.as_bytes())
}

fn checksum(text: &[u8]) -> [u8; 4] {
    let digest = digest::digest(&digest::SHA256, text);
    digest.as_ref()[..4].try_into().expect("SHA-256 has 32 bytes")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

/// A page's rows in the list's order, each with its cursor.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    /// Cursor and row.
    pub rows: Vec<(String, T)>,
    /// There are rows after these.
    pub next: bool,
    /// There are rows before these.
    pub previous: bool,
    /// Rows of the whole list, where asked for.
    pub total: i64,
}

impl<T> Paged<T> {
    /// Makes a page of what [`Page::seek`] fetched; `key` is the sort column's text and the id.
    pub fn of(mut fetched: Vec<T>, page: &Page, total: i64, key: impl Fn(&T) -> (String, String)) -> Self {
        let limit = page.limit as usize;
        let more = fetched.len() > limit;
        fetched.truncate(limit);
        if page.backwards {
            fetched.reverse();
        }
        let rows = fetched.into_iter().map(|row| {
            let (sort, id) = key(&row);
            (cursor(&sort, &id), row)
        });
        Self {
            rows: rows.collect(),
            // A cursor was once a row of this list: there is something on its side.
            next: if page.backwards { page.before.is_some() } else { more },
            previous: if page.backwards { more } else { page.after.is_some() },
            total,
        }
    }
}

/// The text by which PostgreSQL reads exactly this instant again.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Adds the bounds of a time that are given: not before `since`, and before `until`.
pub(crate) fn between(
    query: &mut QueryBuilder<Postgres>,
    column: &str,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) {
    for (sign, bound) in [(">=", since), ("<", until)] {
        if let Some(bound) = bound {
            query.push(format_args!(" and {column} {sign} ")).push_bind(bound);
        }
    }
}

/// What is searched for, where anything is.
pub(crate) fn words(search: Option<&str>) -> Option<&str> {
    search.map(str::trim).filter(|words| !words.is_empty())
}

/// `%text%` for `like`, with the wildcards of the text taken as themselves.
pub(crate) fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_TIME: Order = Order {
        column: "c.created_at",
        id: "c.channel_id",
        cast: "timestamptz",
        descending: true,
    };

    fn sql(page: &Page) -> String {
        let mut query = QueryBuilder::new("where true");
        page.seek(&mut query, BY_TIME);
        query.into_string()
    }

    #[test]
    fn pages_go_both_ways() {
        let cursor = cursor("2026-01-01T00:00:00Z", "ch_x");
        let forwards = Page::new(Some(2), Some(cursor.clone()), None, None).expect("a page");
        assert_eq!(
            sql(&forwards),
            "where true and (c.created_at, c.channel_id) < ($1::text::timestamptz, $2) \
             order by c.created_at desc, c.channel_id desc limit 3"
        );
        let backwards = Page::new(None, None, Some(2), Some(cursor)).expect("a page");
        assert_eq!(
            sql(&backwards),
            "where true and (c.created_at, c.channel_id) > ($1::text::timestamptz, $2) \
             order by c.created_at asc, c.channel_id asc limit 3"
        );
        let paged = Paged::of(vec![3, 2, 1], &backwards, 0, |n| (n.to_string(), n.to_string()));
        assert_eq!(paged.rows.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 3]);
        assert!(paged.previous && paged.next);
    }

    #[test]
    fn absurd_pages_and_cursors_are_refused() {
        for (first, last) in [
            (Some(-1), None),
            (Some(101), None),
            (None, Some(i32::MIN)),
            (Some(1), Some(1)),
        ] {
            assert!(Page::new(first, None, last, None).is_err(), "{first:?} {last:?}");
        }
        let long = "a".repeat(5_000);
        let good = cursor("x", "ch_x");
        for text in ["", "zz", "00", "abc", &long, &good[1..], &format!("{good}00")] {
            assert!(Page::new(None, Some(text.to_owned()), None, None).is_err(), "{text}");
        }
    }
}
