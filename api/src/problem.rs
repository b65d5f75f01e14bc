//! What a call answers when it does not do what was asked: something the caller can mend, a refusal, or our own trouble.

use async_graphql::{Enum, ErrorExtensions as _};
use std::borrow::Cow;

use crate::DatabaseError;

/// Stable words to branch on, for what the caller can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(name = "UserErrorCode")]
pub enum Code {
    /// Empty where something is needed.
    Blank,
    /// Longer than allowed.
    TooLong,
    /// Shorter than allowed.
    TooShort,
    /// Of the wrong form.
    Invalid,
    /// A number outside its bounds.
    OutOfRange,
    /// Somebody else has it.
    Taken,
    /// There is no such thing here.
    NotFound,
    /// Changed by somebody else since it was read.
    Stale,
    /// A limit of the plan or of the service.
    LimitReached,
    /// It is in a state that does not allow this.
    State,
    /// E-mail or password is wrong.
    Credentials,
    /// Against the rules of roles.
    Role,
    /// Its time is over.
    Expired,
}

impl Code {
    /// Every code with what to do about it, for the page that explains them.
    pub const ALL: [(Self, &'static str, &'static str); 13] = [
        (Self::Blank, "BLANK", "Empty where something is needed."),
        (
            Self::TooLong,
            "TOO_LONG",
            "Longer than allowed; the message says how long it may be.",
        ),
        (
            Self::TooShort,
            "TOO_SHORT",
            "Shorter than allowed; the message says how long it must be.",
        ),
        (Self::Invalid, "INVALID", "Of the wrong form."),
        (
            Self::OutOfRange,
            "OUT_OF_RANGE",
            "A number outside its bounds; the message names them.",
        ),
        (
            Self::Taken,
            "TAKEN",
            "Something else has this name, reference or address already.",
        ),
        (
            Self::NotFound,
            "NOT_FOUND",
            "There is no such object in this tenant and environment.",
        ),
        (
            Self::Stale,
            "STALE",
            "Somebody else changed the object since you read it. Read it again, and repeat the change with the new version.",
        ),
        (
            Self::LimitReached,
            "LIMIT_REACHED",
            "A limit of the plan or of the service; the message names it.",
        ),
        (
            Self::State,
            "STATE",
            "The object is in a state that does not allow this, such as a channel on air.",
        ),
        (Self::Credentials, "CREDENTIALS", "E-mail address or password is wrong."),
        (
            Self::Role,
            "ROLE",
            "Against the rules of roles: nobody hands out more than they have, and a tenant keeps an owner.",
        ),
        (Self::Expired, "EXPIRED", "The moment given has passed."),
    ];

    /// Its word in the schema.
    pub fn word(self) -> &'static str {
        let named = Self::ALL.iter().find(|(code, ..)| *code == self);
        named.map(|(_, word, _)| *word).expect("ALL holds every code")
    }
}

/// Why a call did not do what was asked.
#[derive(Debug)]
pub enum Problem {
    /// The caller can mend it: goes into `userErrors`.
    Mend {
        /// What kind.
        code: Code,
        /// Which member of the mutation's input, with dots on the way to one further in; `None` when no single one is to blame.
        field: Option<Cow<'static, str>>,
        /// A sentence for people.
        message: String,
    },
    /// The caller may not, or asked in vain: a GraphQL error.
    Refused {
        /// `extensions.code`.
        code: &'static str,
        /// A sentence for people.
        message: String,
        /// Seconds after which it may be tried again.
        retry_after_s: Option<u64>,
    },
    /// PostgreSQL.
    Database(DatabaseError),
}

/// A result whose error is a [`Problem`].
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    /// Something to mend in one field of the input.
    pub fn mend(code: Code, field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Mend {
            code,
            field: Some(field.into()),
            message: message.into(),
        }
    }

    /// Something to mend that no single field is to blame for.
    pub fn mend_all(code: Code, message: impl Into<String>) -> Self {
        Self::Mend {
            code,
            field: None,
            message: message.into(),
        }
    }

    /// No object of this id here: deleted, foreign, or never made. `what` is the noun.
    pub fn not_found(field: &'static str, what: &str) -> Self {
        Self::mend(Code::NotFound, field, format!("There is no such {what}."))
    }

    /// Somebody else changed it first.
    pub fn stale(what: &str) -> Self {
        let sentence =
            format!("Somebody else changed this {what} since you read it. Read it again and repeat the change.");
        Self::mend(Code::Stale, "expectedVersion", sentence)
    }

    fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused {
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// Nobody is signed in.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::refused("UNAUTHENTICATED", message)
    }

    /// The role or token does not allow it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::refused("FORBIDDEN", message)
    }

    /// The question itself is malformed.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::refused("BAD_INPUT", message)
    }

    /// Another request with this idempotency key stands in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::refused("CONFLICT", message)
    }

    /// Too often.
    pub fn rate_limited(message: impl Into<String>, retry_after_s: u64) -> Self {
        Self::Refused {
            code: "RATE_LIMITED",
            message: message.into(),
            retry_after_s: Some(retry_after_s),
        }
    }

    /// `extensions.code` and the sentence, for answers outside GraphQL.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mend { .. } => "BAD_INPUT",
            Self::Refused { code, .. } => code,
            Self::Database(error) => match error.input_at_fault() {
                true => "BAD_INPUT",
                false => "UNAVAILABLE",
            },
        }
    }

    /// The sentence for the caller.
    pub fn message(&self) -> String {
        match self {
            Self::Mend { message, .. } | Self::Refused { message, .. } => message.clone(),
            Self::Database(error) if error.input_at_fault() => {
                "An argument holds something that cannot be stored or compared, such as a damaged cursor.".into()
            }
            Self::Database(_) => "The service cannot answer right now. Try again in a few seconds.".into(),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Problem> for async_graphql::Error {
    fn from(problem: Problem) -> Self {
        if let Problem::Database(DatabaseError(error)) = &problem {
            tracing::warn!("a query was not answered: {error}");
        }
        let (code, retry) = (
            problem.code(),
            match &problem {
                Problem::Refused { retry_after_s, .. } => *retry_after_s,
                _ => None,
            },
        );
        Self::new(problem.message()).extend_with(|_, extensions| {
            extensions.set("code", code);
            if let Some(seconds) = retry {
                extensions.set("retryAfter", seconds);
            }
        })
    }
}

/// Refuses a text that is blank or longer than `max` characters; returns it without the white space around it.
pub(crate) fn text(field: &'static str, value: &str, max: usize) -> Answer<String> {
    let value = value.trim();
    if value.is_empty() {
        return Err(Problem::mend(Code::Blank, field, "This must not be empty."));
    }
    at_most(field, value, max)
}

/// As [`text`], but nothing at all is fine.
pub(crate) fn at_most(field: &'static str, value: &str, max: usize) -> Answer<String> {
    let value = value.trim();
    let chars = value.chars().count();
    if chars > max {
        let sentence = format!("This has {chars} characters; at most {max} are allowed.");
        return Err(Problem::mend(Code::TooLong, field, sentence));
    }
    if value.chars().any(|c| c.is_control()) {
        let sentence = "Control characters and line ends are not allowed here.";
        return Err(Problem::mend(Code::Invalid, field, sentence));
    }
    Ok(value.to_owned())
}
