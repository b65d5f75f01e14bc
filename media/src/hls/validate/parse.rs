//! Reading playlists.

use super::{Finding, MediaPlaylist, PartLine, Report, SegmentLine};

/// Splits an attribute list (rfc8216bis §4.2); quotes are taken off.
pub(super) fn attributes(list: &str) -> Option<Vec<(String, String)>> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (name, tail) = rest.split_once('=')?;
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(plain) || out.iter().any(|(n, _)| n == name) {
            return None;
        }
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => tail.split_at(tail.find(',').unwrap_or(tail.len())),
        };
        out.push((name.to_owned(), value.to_owned()));
        rest = match tail.strip_prefix(',') {
            Some("") => return None,
            Some(more) => more,
            None if tail.is_empty() => tail,
            None => return None,
        };
    }
    Some(out)
}

/// Decimal seconds as microseconds; no sign, no exponent.
pub(super) fn micros(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = format!("{:0<6}", fraction.get(..6).unwrap_or(fraction));
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(fraction.parse().ok()?)
}

/// `2026-02-14T02:13:36.106Z` as Unix milliseconds; only this form, which is the one that is always right.
fn date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (23, b'Z'),
    ];
    if bytes.len() != 24 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse::<i64>().ok())
            .flatten()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).ok().and_then(|m| lengths.get(..m))?;
    let last = *lengths.get(usize::try_from(month - 1).ok()?)?;
    let years = year - 1;
    let days_of_years = years * 365 + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    // 719 162 days lie between 0001-01-01 and 1970-01-01.
    let days = days_of_years + before.iter().sum::<i64>() + day - 1 - 719_162;
    let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    ((1..=last).contains(&day) && hour < 24 && minute < 60 && second < 61)
        .then(|| ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000 + ms)
}

fn found(line: usize, rule: &'static str, detail: &str) -> Finding {
    Finding {
        line,
        rule,
        detail: detail.to_owned(),
    }
}

impl MediaPlaylist {
    /// Reads a media playlist. What cannot be read is a finding; tags that the rules do not speak of are passed over.
    pub fn parse(body: &str) -> Result<Self, Finding> {
        let mut this = Self {
            version: 1,
            ..Self::default()
        };
        let mut next = SegmentLine::default();
        let mut map: Option<String> = None;
        let (mut target, mut inf) = (false, None);
        if body.lines().next() != Some("#EXTM3U") {
            return Err(found(1, "EXTM3U is the first line", body.lines().next().unwrap_or("")));
        }
        for (i, text) in body.lines().enumerate().skip(1) {
            let line = i + 1;
            let bad = |rule| found(line, rule, text);
            if !text.starts_with('#') {
                if text.is_empty() {
                    continue;
                }
                let duration_us = inf.take().ok_or_else(|| bad("EXTINF stands before each segment"))?;
                next = SegmentLine {
                    line,
                    uri: text.to_owned(),
                    duration_us,
                    map: map.clone(),
                    ..next
                };
                this.segments.push(std::mem::take(&mut next));
                continue;
            }
            let (tag, value) = text.split_once(':').unwrap_or((text, ""));
            let list = || attributes(value).ok_or_else(|| bad("an attribute list is well formed"));
            let int = || value.parse::<u64>().map_err(|_| bad("a decimal integer is one"));
            match tag {
                "#EXT-X-VERSION" => this.version = int()? as u32,
                "#EXT-X-TARGETDURATION" => {
                    (this.target_duration_s, target) = (int()?, true);
                }
                "#EXT-X-MEDIA-SEQUENCE" => this.media_sequence = int()?,
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    if !this.segments.is_empty() || next.discontinuity {
                        return Err(bad("DISCONTINUITY-SEQUENCE stands before segments and DISCONTINUITY"));
                    }
                    this.discontinuity_sequence = Some(int()?);
                }
                "#EXT-X-PLAYLIST-TYPE" => this.playlist_type = Some(value.to_owned()),
                "#EXT-X-INDEPENDENT-SEGMENTS" => this.independent_segments = true,
                "#EXT-X-SERVER-CONTROL" => this.server_control = list()?,
                "#EXT-X-PART-INF" => {
                    let list = list()?;
                    let target = pick(&list, "PART-TARGET").and_then(micros);
                    this.part_target_us = Some(target.ok_or_else(|| bad("PART-INF has a PART-TARGET"))?);
                }
                "#EXT-X-SKIP" => {
                    let list = list()?;
                    let skipped = pick(&list, "SKIPPED-SEGMENTS").and_then(|v| v.parse().ok());
                    this.skipped = skipped.ok_or_else(|| bad("SKIP has SKIPPED-SEGMENTS"))?;
                    if !this.segments.is_empty() {
                        return Err(bad("SKIP stands before the segments"));
                    }
                }
                "#EXT-X-MAP" => {
                    let list = list()?;
                    map = Some(pick(&list, "URI").ok_or_else(|| bad("MAP has a URI"))?.to_owned());
                    next.map.clone_from(&map);
                }
                "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
                "#EXT-X-GAP" => next.gap = true,
                "#EXT-X-PROGRAM-DATE-TIME" => {
                    next.date_ms = Some(date(value).ok_or_else(|| bad("a date has milliseconds and a zone"))?);
                }
                "#EXTINF" => {
                    let (seconds, _) = value.split_once(',').ok_or_else(|| bad("EXTINF has a comma"))?;
                    inf = Some(micros(seconds).ok_or_else(|| bad("EXTINF is a decimal number"))?);
                }
                "#EXT-X-PART" => next
                    .parts
                    .push(part(line, &list()?).ok_or_else(|| bad("PART is complete"))?),
                "#EXT-X-PRELOAD-HINT" => {
                    let list = list()?;
                    let hint = pick(&list, "TYPE").zip(pick(&list, "URI"));
                    let (kind, uri) = hint.ok_or_else(|| bad("PRELOAD-HINT has TYPE and URI"))?;
                    this.hints.push((kind.to_owned(), uri.to_owned()));
                }
                "#EXT-X-RENDITION-REPORT" => {
                    let list = list()?;
                    let number = |name| pick(&list, name).and_then(|v| v.parse().ok());
                    let uri = pick(&list, "URI")
                        .ok_or_else(|| bad("RENDITION-REPORT has a URI"))?
                        .to_owned();
                    let (last_msn, last_part) = (number("LAST-MSN"), number("LAST-PART"));
                    this.reports.push(Report {
                        line,
                        uri,
                        last_msn,
                        last_part,
                    });
                }
                "#EXT-X-ENDLIST" => this.ended = true,
                _ => {}
            }
        }
        if !target {
            return Err(found(0, "TARGETDURATION is required", ""));
        }
        next.map = map;
        this.open = next;
        Ok(this)
    }
}

fn part(line: usize, list: &[(String, String)]) -> Option<PartLine> {
    Some(PartLine {
        line,
        uri: pick(list, "URI")?.to_owned(),
        duration_us: pick(list, "DURATION").and_then(micros)?,
        independent: pick(list, "INDEPENDENT") == Some("YES"),
        gap: pick(list, "GAP") == Some("YES"),
    })
}

pub(super) fn pick<'a>(list: &'a [(String, String)], name: &str) -> Option<&'a str> {
    list.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}
