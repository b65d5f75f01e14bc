//! Numbers and dates as playlists and manifests write them, straight into the text.

use crate::time::Timescale;

/// Appends decimal digits.
pub(crate) fn int(out: &mut String, v: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut v = v;
    loop {
        at -= 1;
        digits[at] = b'0' + (v % 10) as u8;
        v /= 10;
        if v == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|d| char::from(*d)));
}

/// Appends `v` with at least `width` digits, zeros in front.
pub(crate) fn padded(out: &mut String, v: u64, width: u32) {
    let mut bound = 10u64.saturating_pow(width.saturating_sub(1));
    while bound > 1 && v < bound {
        out.push('0');
        bound /= 10;
    }
    int(out, v);
}

/// Appends `ticks` of `scale` as seconds with five decimals, to the nearest.
pub(crate) fn seconds(out: &mut String, ticks: u64, scale: Timescale) {
    let scale = u128::from(scale.get());
    let e5 = (u128::from(ticks) * 100_000 * 2 + scale) / (2 * scale);
    int(out, u64::try_from(e5 / 100_000).unwrap_or(u64::MAX));
    out.push('.');
    padded(out, (e5 % 100_000) as u64, 5);
}

/// Appends milliseconds as seconds, without trailing zeros (but one digit).
pub(crate) fn millis(out: &mut String, ms: u64) {
    int(out, ms / 1_000);
    out.push('.');
    let mut rest = ms % 1_000;
    let mut width = 3;
    while width > 1 && rest.is_multiple_of(10) {
        rest /= 10;
        width -= 1;
    }
    padded(out, rest, width);
}

/// Appends Unix milliseconds as `2026-02-14T02:13:36.106Z` (proleptic Gregorian; years 0 to 9999).
pub(crate) fn date(out: &mut String, unix_ms: i64) {
    const DAY_MS: i64 = 86_400_000;
    // 0000-01-01 and 9999-12-31 are the ends of what four digits can say.
    let unix_ms = unix_ms.clamp(-62_167_219_200_000, 253_402_300_799_999);
    let (day, ms) = (unix_ms.div_euclid(DAY_MS), unix_ms.rem_euclid(DAY_MS) as u64);
    let (year, month, day) = civil(day);
    for (v, width, mark) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (ms / 3_600_000, 2, ':'),
        (ms / 60_000 % 60, 2, ':'),
        (ms / 1_000 % 60, 2, '.'),
        (ms % 1_000, 3, 'Z'),
    ] {
        padded(out, v, width);
        out.push(mark);
    }
}

/// Year, month and day of a day counted from 1970-01-01. Counts in eras of 400 years that start on 1 March.
fn civil(day: i64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (
        (year_of_era + era * 400 + carry).max(0) as u64,
        month as u64,
        day as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_players_expect() {
        assert_eq!(text(|o| int(o, 0)), "0");
        assert_eq!(text(|o| int(o, u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(|o| padded(o, 7, 3)), "007");
        assert_eq!(text(|o| padded(o, 0, 2)), "00");
        for (ticks, want) in [
            (180_000, "2.00000"),
            (30_030, "0.33367"),
            (1, "0.00001"),
            (0, "0.00000"),
        ] {
            assert_eq!(text(|o| seconds(o, ticks, Timescale::VIDEO)), want);
        }
        for (ms, want) in [
            (350, "0.35"),
            (1_050, "1.05"),
            (12_000, "12.0"),
            (1_005, "1.005"),
            (24, "0.024"),
        ] {
            assert_eq!(text(|o| millis(o, ms)), want);
        }
    }

    #[test]
    fn dates_are_right_at_the_edges_of_the_calendar() {
        for (ms, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_771_035_216_106, "2026-02-14T02:13:36.106Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(|o| date(o, ms)), want);
        }
    }
}
