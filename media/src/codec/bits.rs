//! Bits, most significant first, with the Exp-Golomb codes of H.264 §9.1.

/// The bytes ended before the value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfBits;

/// Reads bits; with `escaped`, drops emulation prevention bytes (`00 00 03`) on the way.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits of `bytes[at]` already read.
    bit: u32,
    zeros: u32,
    escaped: bool,
}

impl<'a> BitReader<'a> {
    /// Plain bits.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            bit: 0,
            zeros: 0,
            escaped: false,
        }
    }

    /// The payload of a NAL unit: emulation prevention bytes are not part of it.
    pub fn of_nal(bytes: &'a [u8]) -> Self {
        Self {
            escaped: true,
            ..Self::new(bytes)
        }
    }

    pub fn bit(&mut self) -> Result<bool, OutOfBits> {
        if self.bit == 0 && self.escaped && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        let byte = *self.bytes.get(self.at).ok_or(OutOfBits)?;
        let value = byte >> (7 - self.bit) & 1 == 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.at += 1;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        }
        Ok(value)
    }

    /// Up to 32 bits.
    pub fn bits(&mut self, count: u32) -> Result<u32, OutOfBits> {
        let mut value = 0u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Ok(value)
    }

    /// `ue(v)`. Codes of more than 32 bits read as out of bits: nothing valid is that large.
    pub fn ue(&mut self) -> Result<u32, OutOfBits> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(OutOfBits);
            }
        }
        Ok(((1u64 << zeros) - 1 + u64::from(self.bits(zeros)?)) as u32)
    }

    /// `se(v)`.
    pub fn se(&mut self) -> Result<i32, OutOfBits> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 } as i32)
    }

    /// Bits not yet read, emulation prevention not considered.
    pub fn left(&self) -> usize {
        (self.bytes.len() - self.at) * 8 - self.bit as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_emulation_prevention_is_dropped_also_at_the_end() {
        let mut r = BitReader::of_nal(&[0, 0, 3, 1, 0, 0, 3]);
        assert_eq!(r.bits(24), Ok(1));
        assert_eq!(r.bits(16), Ok(0));
        assert_eq!(r.bit(), Err(OutOfBits));
    }

    #[test]
    fn exp_golomb_table() {
        // 1 010 011 00100 00101
        let mut r = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!(
            [r.ue(), r.ue(), r.ue(), r.ue(), r.ue()],
            [Ok(0), Ok(1), Ok(2), Ok(3), Ok(4)]
        );
        let mut r = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!(
            [r.se(), r.se(), r.se(), r.se(), r.se()],
            [Ok(0), Ok(1), Ok(-1), Ok(2), Ok(-2)]
        );
        assert_eq!(BitReader::new(&[0; 8]).ue(), Err(OutOfBits));
    }
}
