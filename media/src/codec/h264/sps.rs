//! The sequence parameter set (ITU-T H.264 §7.3.2.1, Annex E for the VUI).

use crate::codec::bits::{BitReader, OutOfBits};

/// Smallest picture side accepted, in pixels.
pub const SIDE_MIN: u32 = 16;
/// Largest picture side accepted, in pixels.
pub const SIDE_MAX: u32 = 8192;

/// What a sequence parameter set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `seq_parameter_set_id`.
    pub id: u32,
    /// `profile_idc`.
    pub profile: u8,
    /// `constraint_set` flags, as the byte stands.
    pub constraints: u8,
    /// `level_idc`; 9 for level 1b.
    pub level: u8,
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping, both fields.
    pub height: u32,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u8,
    /// Bits of luma.
    pub bit_depth: u8,
    /// Bits of chroma.
    pub bit_depth_chroma: u8,
    /// Pictures may be fields or field pairs (`frame_mbs_only_flag` is 0).
    pub interlaced: bool,
    /// Width to height of a sample; 1:1 when the stream does not say.
    pub sample_aspect: (u32, u32),
    /// Frames per second from the VUI, reduced; `None` when it does not say or says nonsense.
    pub frame_rate: Option<(u32, u32)>,
    /// Most frames that precede one in decode order and follow it in output order; `None` when it does not say.
    pub max_num_reorder: Option<u32>,
    /// Colour description.
    pub colour: Colour,
    /// Fields that decoding needs and the others do not tell.
    pub(super) decoding: Decoding,
}

/// Colour as ITU-T H.273 numbers it; 2 is "unspecified".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`: 16 is PQ, 18 is HLG.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// Samples use the full range.
    pub full_range: bool,
}

impl Default for Colour {
    fn default() -> Self {
        Self {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            full_range: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoding {
    lossless: bool,
    scaling: Vec<i32>,
    log2_max_frame_num: u32,
    poc_type: u32,
    poc: Vec<i32>,
    max_ref_frames: u32,
    gaps_allowed: bool,
    crop: [u32; 4],
    mbaff: bool,
    direct_8x8: bool,
}

/// Why a sequence parameter set cannot be used.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpsError {
    /// Not a NAL unit of type 7.
    #[error("NAL unit type {0} where a sequence parameter set (7) belongs")]
    NotSps(u8),
    /// It ends too early.
    #[error("sequence parameter set ends inside {0}")]
    Truncated(&'static str),
    /// A value that the standard does not know.
    #[error("sequence parameter set has {field} {value}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// Picture sides outside [`SIDE_MIN`] and [`SIDE_MAX`].
    #[error("picture of {width}x{height}; sides of {SIDE_MIN} to {SIDE_MAX} are accepted")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

impl Sps {
    /// Parses a NAL unit, its header byte included. A damaged VUI reads as absent: the picture does not need it.
    pub fn parse(nal: &[u8]) -> Result<Self, SpsError> {
        let header = *nal.first().ok_or(SpsError::Truncated("its header"))?;
        if header & 0x1f != 7 {
            return Err(SpsError::NotSps(header & 0x1f));
        }
        let mut r = BitReader::of_nal(&nal[1..]);
        let mut sps = Self::parse_body(&mut r)?;
        if r.bit() == Ok(true) {
            // What was read before the damage stands.
            let _ = sps.parse_vui(&mut r);
        }
        if sps.max_num_reorder.is_none() && (sps.profile == 66 || sps.decoding.poc_type == 2) {
            sps.max_num_reorder = Some(0);
        }
        Ok(sps)
    }

    fn parse_body(r: &mut BitReader<'_>) -> Result<Self, SpsError> {
        let cut = |_: OutOfBits| SpsError::Truncated("its fields");
        let profile = r.bits(8).map_err(cut)? as u8;
        let constraints = r.bits(8).map_err(cut)? as u8;
        let level_idc = r.bits(8).map_err(cut)? as u8;
        let level = if level_idc == 11 && constraints & 0x10 != 0 && matches!(profile, 66 | 77 | 88) {
            9
        } else {
            level_idc
        };
        let id = at_most("seq_parameter_set_id", r.ue().map_err(cut)?, 31)?;
        let (mut chroma, mut depth, mut depth_chroma, mut separate) = (1, 8, 8, false);
        let mut decoding = Decoding::default();
        if matches!(
            profile,
            100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
        ) {
            chroma = at_most("chroma_format_idc", r.ue().map_err(cut)?, 3)?;
            if chroma == 3 {
                separate = r.bit().map_err(cut)?;
            }
            depth = 8 + at_most("bit_depth_luma_minus8", r.ue().map_err(cut)?, 6)?;
            depth_chroma = 8 + at_most("bit_depth_chroma_minus8", r.ue().map_err(cut)?, 6)?;
            decoding.lossless = r.bit().map_err(cut)?;
            if r.bit().map_err(cut)? {
                decoding.scaling = scaling_lists(r, if chroma == 3 { 12 } else { 8 }).map_err(cut)?;
            }
        }
        decoding.log2_max_frame_num = 4 + at_most("log2_max_frame_num_minus4", r.ue().map_err(cut)?, 12)?;
        decoding.poc_type = at_most("pic_order_cnt_type", r.ue().map_err(cut)?, 2)?;
        match decoding.poc_type {
            0 => decoding
                .poc
                .push(at_most("log2_max_pic_order_cnt_lsb_minus4", r.ue().map_err(cut)?, 12)? as i32),
            1 => {
                decoding.poc.push(i32::from(r.bit().map_err(cut)?));
                decoding.poc.push(r.se().map_err(cut)?);
                decoding.poc.push(r.se().map_err(cut)?);
                let cycle = at_most("num_ref_frames_in_pic_order_cnt_cycle", r.ue().map_err(cut)?, 255)?;
                for _ in 0..cycle {
                    decoding.poc.push(r.se().map_err(cut)?);
                }
            }
            _ => {}
        }
        decoding.max_ref_frames = at_most("max_num_ref_frames", r.ue().map_err(cut)?, 16)?;
        decoding.gaps_allowed = r.bit().map_err(cut)?;
        let columns = u64::from(r.ue().map_err(cut)?) + 1;
        let rows = u64::from(r.ue().map_err(cut)?) + 1;
        let interlaced = !r.bit().map_err(cut)?;
        if interlaced {
            decoding.mbaff = r.bit().map_err(cut)?;
        }
        decoding.direct_8x8 = r.bit().map_err(cut)?;
        let fields = if interlaced { 2 } else { 1 };
        let (coded_width, coded_height) = (columns * 16, rows * 16 * fields);
        let clamp = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
        let size_error = |width: u64, height: u64| SpsError::Size {
            width: clamp(width),
            height: clamp(height),
        };
        if coded_width > u64::from(SIDE_MAX) + 16 || coded_height > u64::from(SIDE_MAX) + 32 {
            return Err(size_error(coded_width, coded_height));
        }
        if r.bit().map_err(cut)? {
            for side in &mut decoding.crop {
                *side = r.ue().map_err(cut)?;
            }
        }
        let [left, right, top, bottom] = decoding.crop.map(u64::from);
        let chroma_array = if separate { 0 } else { chroma };
        let unit_x = if matches!(chroma_array, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma_array == 1 { 2 } else { 1 } * fields;
        let width = coded_width.saturating_sub((left + right) * unit_x);
        let height = coded_height.saturating_sub((top + bottom) * unit_y);
        let sides = u64::from(SIDE_MIN)..=u64::from(SIDE_MAX);
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(size_error(width, height));
        }
        Ok(Self {
            id,
            profile,
            constraints,
            level,
            width: width as u32,
            height: height as u32,
            chroma: chroma as u8,
            bit_depth: depth as u8,
            bit_depth_chroma: depth_chroma as u8,
            interlaced,
            sample_aspect: (1, 1),
            frame_rate: None,
            max_num_reorder: None,
            colour: Colour::default(),
            decoding,
        })
    }

    fn parse_vui(&mut self, r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
        if r.bit()? {
            let (w, h) = match r.bits(8)? {
                255 => (r.bits(16)?, r.bits(16)?),
                index => SAMPLE_ASPECTS.get(index as usize).copied().unwrap_or((1, 1)),
            };
            if w != 0 && h != 0 {
                self.sample_aspect = reduce(w, h);
            }
        }
        if r.bit()? {
            r.bit()?; // overscan_appropriate_flag
        }
        if r.bit()? {
            r.bits(3)?; // video_format
            self.colour.full_range = r.bit()?;
            if r.bit()? {
                self.colour.primaries = r.bits(8)? as u8;
                self.colour.transfer = r.bits(8)? as u8;
                self.colour.matrix = r.bits(8)? as u8;
            }
        }
        if r.bit()? {
            r.ue()?; // chroma sample location, top field
            r.ue()?; // and bottom field
        }
        if r.bit()? {
            let (ticks, scale) = (r.bits(32)?, r.bits(32)?);
            r.bit()?; // fixed_frame_rate_flag
            self.frame_rate = frame_rate(ticks, scale);
        }
        let nal_hrd = r.bit()?;
        if nal_hrd {
            skip_hrd(r)?;
        }
        let vcl_hrd = r.bit()?;
        if vcl_hrd {
            skip_hrd(r)?;
        }
        if nal_hrd || vcl_hrd {
            r.bit()?; // low_delay_hrd_flag
        }
        r.bit()?; // pic_struct_present_flag
        if r.bit()? {
            r.bit()?; // motion_vectors_over_pic_boundaries_flag
            for _ in 0..4 {
                r.ue()?; // byte, bit and motion vector bounds
            }
            let reorder = r.ue()?;
            if reorder <= 16 {
                self.max_num_reorder = Some(reorder);
            }
        }
        Ok(())
    }

    /// Equal in what decoding and display need; bit rate, buffer and timing declarations may differ.
    pub fn same_meaning(&self, other: &Self) -> bool {
        let facts = |s: &Self| Self {
            frame_rate: None,
            max_num_reorder: None,
            level: 0,
            constraints: 0,
            ..s.clone()
        };
        facts(self) == facts(other)
    }
}

fn at_most(field: &'static str, value: u32, max: u32) -> Result<u32, SpsError> {
    if value > max {
        Err(SpsError::Invalid { field, value })
    } else {
        Ok(value)
    }
}

fn scaling_lists(r: &mut BitReader<'_>, lists: usize) -> Result<Vec<i32>, OutOfBits> {
    let mut out = Vec::new();
    for list in 0..lists {
        if !r.bit()? {
            out.push(-1);
            continue;
        }
        let (mut last, mut next) = (8i32, 8i32);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = last.wrapping_add(r.se()?).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
            out.push(next);
        }
    }
    Ok(out)
}

fn skip_hrd(r: &mut BitReader<'_>) -> Result<(), OutOfBits> {
    let count = r.ue()?;
    if count > 31 {
        return Err(OutOfBits);
    }
    r.bits(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=count {
        r.ue()?;
        r.ue()?;
        r.bit()?;
    }
    r.bits(20)?; // delay lengths and time_offset_length
    Ok(())
}

/// Frames per second of a VUI: two ticks make a frame (H.264 §E.2.1). Rates outside 1 to 300 are nonsense.
fn frame_rate(ticks: u32, scale: u32) -> Option<(u32, u32)> {
    let den = ticks.checked_mul(2)?;
    if den == 0 || scale == 0 || scale / den > 300 || scale < den {
        return None;
    }
    Some(reduce(scale, den))
}

fn reduce(a: u32, b: u32) -> (u32, u32) {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1), b / x.max(1))
}

/// Table E-1.
const SAMPLE_ASPECTS: [(u32, u32); 17] = [
    (1, 1),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
