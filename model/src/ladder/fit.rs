//! Fitting a policy to a source.

use super::{DEFAULT_STEPS, Ladder, Policy, Rung, SOURCE_RUNG, Source, Step, Video, VideoCodec};

/// No rendition has more frames per second × 1000.
const FPS_MAX_MILLI: u32 = 60_000;
/// Slack for clocks that run a little fast: 60.06 is 60.
const FPS_SLACK_MILLI: u32 = 500;
/// Above this a rate counts as high, for bit rates and names.
const FPS_HIGH_MILLI: u32 = 30_000 + FPS_SLACK_MILLI;
/// Taken for sources that do not say.
const FPS_UNKNOWN_MILLI: u32 = 30_000;
/// A source above this is encoded at its own size rather than passed through, bits/s: viewers could not follow it.
const PASSTHROUGH_BITRATE_MAX_BPS: u64 = 25_000_000;
/// A passthrough rung with at least this many times a step's bit rate does not stand in for that step.
const STEP_REPLACED_BELOW_TIMES: u64 = 2;
/// A source below one part in this many of its size's usual bit rate was measured on a still picture, and the figure
/// says nothing about the rest of the broadcast.
const IMPLAUSIBLE_PART: u64 = 4;
/// A rung below the source has at most this many hundredths of the source's bit rate.
const BELOW_SOURCE_PERCENT: u64 = 80;

impl Ladder {
    /// The renditions that `policy` makes of `source`. Total: odd sources get an odd but valid ladder, and a source
    /// without picture one without video.
    pub fn fit(policy: &Policy, source: &Source) -> Self {
        let video = source
            .video
            .as_ref()
            .map_or_else(Vec::new, |video| Fit::new(policy, video).rungs());
        Self {
            video,
            audio: source.audio,
        }
    }
}

/// One fit in progress: the source's figures, settled.
struct Fit {
    steps: Vec<Step>,
    passthrough: bool,
    width: u32,
    height: u32,
    fps_milli: u32,
    /// `None` when unknown or not to be believed.
    bitrate_bps: Option<u64>,
}

impl Fit {
    fn new(policy: &Policy, video: &Video) -> Self {
        let (wanted, mut steps) = match policy {
            Policy::Default => (true, DEFAULT_STEPS.to_vec()),
            Policy::Source => (true, Vec::new()),
            Policy::Encoded => (false, DEFAULT_STEPS.to_vec()),
            Policy::Custom { passthrough, steps } => (*passthrough, steps.clone()),
        };
        steps.retain(|step| step.short_side >= 2);
        steps.sort_by_key(|step| std::cmp::Reverse(step.short_side));
        steps.dedup_by_key(|step| step.short_side);
        let (width, height) = video.display_size();
        let fps_milli = if video.fps_milli == 0 {
            FPS_UNKNOWN_MILLI
        } else {
            video.fps_milli
        };
        let mut fit = Self {
            steps,
            passthrough: false,
            width,
            height,
            fps_milli,
            bitrate_bps: None,
        };
        let usual = u64::from(usual_bitrate_bps(fit.short_side(), fit.high_fps()));
        fit.bitrate_bps = Some(video.bitrate_bps).filter(|bps| *bps >= usual / IMPLAUSIBLE_PART && *bps > 0);
        fit.passthrough = wanted
            && video.codec == VideoCodec::H264Common
            && fps_milli <= FPS_MAX_MILLI + FPS_SLACK_MILLI
            && video.bitrate_bps <= PASSTHROUGH_BITRATE_MAX_BPS;
        fit
    }

    fn short_side(&self) -> u32 {
        self.width.min(self.height)
    }

    fn high_fps(&self) -> bool {
        self.fps_milli > FPS_HIGH_MILLI
    }

    fn rungs(&self) -> Vec<Rung> {
        let mut rungs = Vec::new();
        if self.passthrough {
            rungs.push(self.source_rung());
        } else if let Some(own) = self.own_size_step() {
            rungs.push(self.rung(&own));
        }
        let floor = self.steps.last().map(|step| step.short_side);
        for step in self.steps.iter().filter(|step| step.short_side <= self.short_side()) {
            if self.passthrough && step.short_side == self.short_side() && !self.far_above(step) {
                continue;
            }
            // A rung that would have as many bits as a larger one is of no use; the smallest is kept, with fewer bits.
            let too_rich = self
                .bitrate_bps
                .is_some_and(|source| u64::from(self.step_bitrate_bps(step)) >= source);
            if too_rich && !rungs.is_empty() && Some(step.short_side) != floor {
                continue;
            }
            rungs.push(self.rung(step));
        }
        rungs.dedup_by(|lower, upper| !upper.passthrough && (lower.width, lower.height) == (upper.width, upper.height));
        rungs
    }

    /// Whether the source has so many more bits than `step` that viewers need the step beside it.
    fn far_above(&self, step: &Step) -> bool {
        self.bitrate_bps
            .is_some_and(|bps| bps >= STEP_REPLACED_BELOW_TIMES * u64::from(self.step_bitrate_bps(step)))
    }

    /// Without a passthrough rung, a source between two steps (or below the lowest) still gets its own size.
    fn own_size_step(&self) -> Option<Step> {
        let short_side = self.short_side();
        let highest = self.steps.first().map_or(u32::MAX, |step| step.short_side);
        if short_side >= highest || self.steps.iter().any(|step| step.short_side == short_side) {
            return None;
        }
        Some(Step {
            short_side,
            bitrate_bps: usual_bitrate_bps(short_side, false),
            bitrate_high_fps_bps: usual_bitrate_bps(short_side, true),
            fps_max_milli: FPS_MAX_MILLI,
        })
    }

    fn source_rung(&self) -> Rung {
        let usual = usual_bitrate_bps(self.short_side(), self.high_fps());
        Rung {
            name: SOURCE_RUNG.to_owned(),
            passthrough: true,
            width: self.width,
            height: self.height,
            bitrate_bps: self
                .bitrate_bps
                .map_or(usual, |bps| bps.min(PASSTHROUGH_BITRATE_MAX_BPS) as u32),
            fps_max_milli: divided_fps_milli(self.fps_milli, FPS_MAX_MILLI),
        }
    }

    fn rung(&self, step: &Step) -> Rung {
        let fps_max_milli = divided_fps_milli(self.fps_milli, step.fps_max_milli);
        let bitrate_bps = u64::from(self.step_bitrate_bps(step));
        let same_size = step.short_side == self.short_side();
        let ceiling = self
            .bitrate_bps
            .map_or(u64::MAX, |source| match same_size && !self.passthrough {
                true => source,
                false => source * BELOW_SOURCE_PERCENT / 100,
            });
        let (width, height) = self.scaled(step.short_side);
        let suffix = match fps_max_milli > FPS_HIGH_MILLI {
            true => ((fps_max_milli + 500) / 1_000).to_string(),
            false => String::new(),
        };
        Rung {
            name: format!("{}p{suffix}", step.short_side),
            passthrough: false,
            width,
            height,
            bitrate_bps: bitrate_bps.min(ceiling) as u32,
            fps_max_milli,
        }
    }

    fn step_bitrate_bps(&self, step: &Step) -> u32 {
        match divided_fps_milli(self.fps_milli, step.fps_max_milli) > FPS_HIGH_MILLI {
            true => step.bitrate_high_fps_bps,
            false => step.bitrate_bps,
        }
    }

    /// The picture scaled until its shorter side has `short_side` pixels, each side even, none larger than before.
    fn scaled(&self, short_side: u32) -> (u32, u32) {
        let (short, long) = (self.short_side(), self.width.max(self.height));
        let short_out = short_side.min(short) & !1;
        // To the nearest even number: halve, round, double.
        let halves = (u64::from(long) * u64::from(short_out) + u64::from(short)) / (2 * u64::from(short));
        let long_out = (halves as u32 * 2).clamp(2, long);
        if self.width >= self.height {
            (long_out, short_out)
        } else {
            (short_out, long_out)
        }
    }
}

/// `fps_milli` divided by the smallest whole number that brings it to `max_milli` or below, so that frames are left
/// out evenly: 120 becomes 60, 144 becomes 48.
fn divided_fps_milli(fps_milli: u32, max_milli: u32) -> u32 {
    let limit = max_milli.clamp(1_000, FPS_MAX_MILLI) + FPS_SLACK_MILLI;
    fps_milli / fps_milli.div_ceil(limit).max(1)
}

/// The service's own bit rate for a size that is no step: by pixels, between the steps around it.
fn usual_bitrate_bps(short_side: u32, high_fps: bool) -> u32 {
    let rate = |step: &Step| {
        u64::from(if high_fps {
            step.bitrate_high_fps_bps
        } else {
            step.bitrate_bps
        })
    };
    let above = DEFAULT_STEPS.iter().rev().find(|step| step.short_side >= short_side);
    let step = above.unwrap_or(&DEFAULT_STEPS[0]);
    // Bits grow a little slower than pixels; the 0.75th power is near what the steps themselves follow.
    let ratio = f64::from(short_side) / f64::from(step.short_side);
    (rate(step) as f64 * ratio.powf(1.5))
        .round()
        .clamp(100_000.0, 40_000_000.0) as u32
}
