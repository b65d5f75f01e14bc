//! H.264 levels, ISO/IEC 14496-10 table A-1, for High profile.

/// `(level_idc, macroblocks/s, macroblocks per frame, kbit/s in Baseline and Main)`.
const LEVELS: &[(u8, u64, u64, u64)] = &[
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
    (42, 522_240, 8_704, 50_000),
    (50, 589_824, 22_080, 135_000),
    (51, 983_040, 36_864, 240_000),
    (52, 2_073_600, 36_864, 240_000),
];

/// The lowest level that holds such a stream: size, rate (frames/s × 1000) and peak bit rate. High profile may
/// carry 1.25 times the table's bit rate. The highest level when none does.
pub(crate) fn h264_level(width: u32, height: u32, fps_milli: u32, peak_bps: u32) -> u8 {
    let (across, down) = (u64::from(width.div_ceil(16)), u64::from(height.div_ceil(16)));
    let frame = across * down;
    let rate = (frame * u64::from(fps_milli)).div_ceil(1000);
    let kbps = u64::from(peak_bps).div_ceil(1250);
    LEVELS
        .iter()
        // A side may be at most sqrt(8 × the frame limit) macroblocks (§A.3.1 f, g).
        .find(|(_, per_s, per_frame, rate_max)| {
            rate <= *per_s && frame <= *per_frame && kbps <= *rate_max && across.max(down).pow(2) <= 8 * per_frame
        })
        .map_or(52, |l| l.0)
}

#[cfg(test)]
mod tests {
    use super::h264_level;

    #[test]
    fn levels_of_the_usual_ladder() {
        for (w, h, fps, bps, level) in [
            (640, 360, 30_000, 880_000, 30),
            (854, 480, 30_000, 1_540_000, 31),
            (1280, 720, 30_000, 3_080_000, 31),
            (1280, 720, 60_000, 3_850_000, 32),
            (1920, 1080, 30_000, 5_500_000, 40),
            (1920, 1080, 60_000, 6_600_000, 42),
            (3840, 2160, 60_000, 19_800_000, 52),
            (1080, 1920, 30_000, 5_500_000, 40),
            (64, 36, 1_000, 50_000, 10),
            (7680, 4320, 60_000, 80_000_000, 52),
        ] {
            assert_eq!(h264_level(w, h, fps, bps), level, "{w}x{h} at {fps}");
        }
    }
}
