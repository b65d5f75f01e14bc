//! The delivery directives of a playlist request (rfc8216bis §6.2.5).

use super::answer::Refusal;

/// Which older part of the playlist the client can do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Skip {
    /// The whole playlist.
    #[default]
    No,
    /// `_HLS_skip=YES`
    Segments,
    /// `_HLS_skip=v2`: date ranges too.
    SegmentsAndDateRanges,
}

/// What a playlist request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `_HLS_msn`
    pub msn: Option<u64>,
    /// `_HLS_part`; never without `msn`.
    pub part: Option<u64>,
    /// `_HLS_skip`
    pub skip: Skip,
}

impl Directives {
    /// Reads the `_HLS_` parameters and leaves all others alone. Fails with 400 on a number that is none, a directive
    /// given twice, and a part without its segment.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut directives = Self::default();
        let mut skip_seen = false;
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "_HLS_msn" => put(&mut directives.msn, value, "_HLS_msn is not one decimal number")?,
                "_HLS_part" => put(&mut directives.part, value, "_HLS_part is not one decimal number")?,
                "_HLS_skip" if skip_seen => return Err(Refusal::BadRequest("_HLS_skip is given twice")),
                "_HLS_skip" => {
                    skip_seen = true;
                    directives.skip = match value {
                        "YES" => Skip::Segments,
                        "v2" => Skip::SegmentsAndDateRanges,
                        // A later version of the protocol: the whole playlist is always a right answer.
                        _ => Skip::No,
                    };
                }
                _ => {}
            }
        }
        if directives.part.is_some() && directives.msn.is_none() {
            return Err(Refusal::BadRequest("_HLS_part needs _HLS_msn"));
        }
        Ok(directives)
    }
}

/// The value of `name` in `query`, for names and values that need no escapes.
pub(crate) fn value<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn put(slot: &mut Option<u64>, value: &str, complaint: &'static str) -> Result<(), Refusal> {
    let plain = (1..=18).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    match (plain, value.parse(), &slot) {
        (true, Ok(number), None) => *slot = Some(number),
        _ => return Err(Refusal::BadRequest(complaint)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_and_others_left_alone() {
        let ok = |msn, part, skip| Ok::<_, ()>(Directives { msn, part, skip });
        let bad = Err(());
        let cases = [
            (None, ok(None, None, Skip::No)),
            (Some(""), ok(None, None, Skip::No)),
            (Some("token=a%20b&_HLS_msn=7"), ok(Some(7), None, Skip::No)),
            (
                Some("_HLS_msn=7&_HLS_part=0&_HLS_skip=YES"),
                ok(Some(7), Some(0), Skip::Segments),
            ),
            (Some("_HLS_skip=v2"), ok(None, None, Skip::SegmentsAndDateRanges)),
            (Some("_HLS_skip=v9"), ok(None, None, Skip::No)),
            (Some("_HLS_pathway=a&x"), ok(None, None, Skip::No)),
            (Some("_HLS_part=1"), bad),
            (Some("_HLS_msn="), bad),
            (Some("_HLS_msn=-1"), bad),
            (Some("_HLS_msn=1.5"), bad),
            (Some("_HLS_msn=0x10"), bad),
            (Some("_HLS_msn=9999999999999999999"), bad),
            (Some("_HLS_msn=1&_HLS_msn=2"), bad),
            (Some("_HLS_msn=1&_HLS_part=a"), bad),
            (Some("_HLS_skip=YES&_HLS_skip=YES"), bad),
        ];
        for (query, expected) in cases {
            assert_eq!(Directives::parse(query).map_err(|_| ()), expected, "{query:?}");
        }
    }
}
