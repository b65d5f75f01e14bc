//! The lowest level that admits a picture size, rate and bit rate (H.264 Table A-1).

/// `level_idc`, macroblocks per second, macroblocks per frame, kilobits per second (VCL, Baseline and Main).
const LEVELS: [(u8, u64, u64, u64); 16] = [
    (10, 1_485, 99, 64),
    (11, 3_000, 396, 192),
    (12, 6_000, 396, 384),
    (13, 11_880, 396, 768),
    (20, 11_880, 396, 2_000),
    (21, 19_800, 792, 4_000),
    (22, 20_250, 1_620, 4_000),
    (30, 40_500, 1_620, 10_000),
    (31, 108_000, 3_600, 14_000),
    (32, 216_000, 5_120, 20_000),
    (40, 245_760, 8_192, 20_000),
    (41, 245_760, 8_192, 50_000),
    (42, 522_240, 8_704, 50_000),
    (50, 589_824, 22_080, 135_000),
    (51, 983_040, 36_864, 240_000),
    (52, 2_073_600, 36_864, 240_000),
];

/// The lowest `level_idc` for pictures of `width` by `height` pixels at `frame_rate` (numerator, denominator) and
/// at most `bitrate_bps`; 62, the highest, when none of the usual ones admits them. `high` is the High profile,
/// whose bit rate limits are 1.25 times the others'.
pub fn level_for(width: u32, height: u32, frame_rate: (u32, u32), bitrate_bps: u64, high: bool) -> u8 {
    let (columns, rows) = (u64::from(width.div_ceil(16)), u64::from(height.div_ceil(16)));
    let frame = columns * rows;
    let (num, den) = (u64::from(frame_rate.0), u64::from(frame_rate.1.max(1)));
    let per_second = (frame * num).div_ceil(den);
    for (level, second_max, frame_max, kbps_max) in LEVELS {
        let side_max = (8 * frame_max).isqrt();
        let bps_max = kbps_max * if high { 1_250 } else { 1_000 };
        let fits = frame <= frame_max && columns <= side_max && rows <= side_max;
        if fits && per_second <= second_max && bitrate_bps <= bps_max {
            return level;
        }
    }
    62
}
