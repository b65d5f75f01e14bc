//! Byte ranges of finished objects (RFC 9110 §14).

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;

/// A part of an object: `start` and `len`, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub start: u64,
    pub len: u64,
}

/// The one range that `headers` ask of an object of `len_bytes`; `None` for all of it. Several ranges, other units,
/// malformed ones and conditional ones (`If-Range`: there are no validators here) get the whole object, as RFC 9110
/// §14.2 allows. Fails with 416 where the range lies outside.
pub(crate) fn requested(headers: &HeaderMap, len_bytes: u64) -> Result<Option<Slice>, Refusal> {
    let Some(value) = headers.get(header::RANGE) else {
        return Ok(None);
    };
    if headers.contains_key(header::IF_RANGE) {
        return Ok(None);
    }
    let Some((first, last)) = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("bytes="))
        .filter(|spec| !spec.contains(','))
        .and_then(|spec| spec.split_once('-'))
    else {
        return Ok(None);
    };
    let outside = Refusal::RangeNotSatisfiable { len_bytes };
    let (start, end) = match (number(first), number(last)) {
        (Some(start), _) if last.is_empty() => (start, len_bytes),
        (Some(start), Some(last)) if last >= start => (start, last.saturating_add(1).min(len_bytes)),
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 {
                return Err(outside);
            }
            (len_bytes.saturating_sub(suffix), len_bytes)
        }
        _ => return Ok(None),
    };
    if start >= len_bytes {
        return Err(outside);
    }
    Ok(Some(Slice {
        start,
        len: end - start,
    }))
}

fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
}

/// 200 or 206 for an object of `len_bytes`; `body` makes the bytes of a slice.
pub(crate) fn respond(
    headers: &HeaderMap,
    kind: Kind,
    cache: Cache,
    len_bytes: u64,
    body: impl FnOnce(Slice) -> Body,
) -> Result<Response<Body>, Refusal> {
    let slice = requested(headers, len_bytes)?;
    let mut response = match slice {
        None => answer::answer(
            StatusCode::OK,
            kind,
            cache,
            body(Slice {
                start: 0,
                len: len_bytes,
            }),
        ),
        Some(slice) => {
            let mut response = answer::answer(StatusCode::PARTIAL_CONTENT, kind, cache, body(slice));
            let Slice { start, len } = slice;
            let value = HeaderValue::try_from(format!("bytes {start}-{}/{len_bytes}", start + len - 1))
                .expect("digits and letters are a valid header value");
            response.headers_mut().insert(header::CONTENT_RANGE, value);
            response
        }
    };
    response
        .headers_mut()
        .insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_or_the_whole() {
        let slice = |start, len| Ok(Some(Slice { start, len }));
        let outside = Err(Refusal::RangeNotSatisfiable { len_bytes: 100 });
        let cases = [
            ("bytes=0-0", slice(0, 1)),
            ("bytes=10-19", slice(10, 10)),
            ("bytes=10-", slice(10, 90)),
            ("bytes=10-9007199254740991", slice(10, 90)),
            ("bytes=10-99999999999999999999999", slice(10, 90)),
            ("bytes=-10", slice(90, 10)),
            ("bytes=-1000", slice(0, 100)),
            ("bytes=100-", outside),
            ("bytes=-0", outside),
            ("bytes=9-8", Ok(None)),
            ("bytes=0-1,5-6", Ok(None)),
            ("bytes=a-b", Ok(None)),
            ("lines=1-2", Ok(None)),
            ("bytes=-", Ok(None)),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static(value));
            assert_eq!(requested(&headers, 100), expected, "{value}");
        }
    }
}
