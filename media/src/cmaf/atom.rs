//! What every box has in common: a size, four letters, a body; reading within bounds, and writing.

use std::fmt;

/// Four letters that name a box or a brand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}

/// Why bytes are not the box they should be. `at` counts bytes from the start of what was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoxError {
    /// The box (or the input) ends early.
    #[error("{kind} ends at byte {at}: {need} more bytes are due, {have} are there")]
    Short {
        /// Box being read.
        kind: FourCc,
        /// Where.
        at: usize,
        /// Bytes wanted.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// A size that is smaller than the header or larger than what is around the box.
    #[error("{kind} at byte {at} says it has {size} bytes; {have} are there")]
    Size {
        /// Box with that size.
        kind: FourCc,
        /// Where it starts.
        at: usize,
        /// What it says.
        size: u64,
        /// What is there.
        have: usize,
    },
    /// A version that the standard does not have.
    #[error("{kind} version {version} at byte {at}; only up to {max} exist")]
    Version {
        /// Box.
        kind: FourCc,
        /// Where.
        at: usize,
        /// What it says.
        version: u8,
        /// Highest known.
        max: u8,
    },
    /// A child box that must be there is not.
    #[error("{parent} at byte {at} has no {child}")]
    Missing {
        /// Container.
        parent: FourCc,
        /// What it lacks.
        child: FourCc,
        /// Where the container's body starts.
        at: usize,
    },
    /// A child box that may be there once is there twice.
    #[error("{parent} has a second {child} at byte {at}")]
    Repeated {
        /// Container.
        parent: FourCc,
        /// What it has twice.
        child: FourCc,
        /// Where the second starts.
        at: usize,
    },
    /// A field with a value that it cannot have.
    #[error("{kind}: {field} is {value} at byte {at}")]
    Value {
        /// Box.
        kind: FourCc,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// Where it ends.
        at: usize,
    },
}

/// Reads one box's body, never past its end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    kind: FourCc,
    data: &'a [u8],
    /// Position of `data[0]` in the input.
    base: usize,
}

impl<'a> Reader<'a> {
    /// Reads a sequence of boxes, such as a file.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            kind: FourCc(*b"file"),
            data,
            base: 0,
        }
    }

    /// Reads `data`, which lies at `base` of the input, as (a piece of) the body of `kind`.
    pub fn within(kind: FourCc, data: &'a [u8], base: usize) -> Self {
        Self { kind, data, base }
    }

    /// Which box this is the body of; `file` for a sequence.
    pub fn kind(&self) -> FourCc {
        self.kind
    }

    /// Position in the input.
    pub fn at(&self) -> usize {
        self.base
    }

    /// Bytes left.
    pub fn left(&self) -> usize {
        self.data.len()
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], BoxError> {
        let Some((head, tail)) = self.data.split_at_checked(n) else {
            return Err(BoxError::Short {
                kind: self.kind,
                at: self.base,
                need: n,
                have: self.data.len(),
            });
        };
        self.data = tail;
        self.base += n;
        Ok(head)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.base += self.data.len();
        std::mem::take(&mut self.data)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BoxError> {
        let bytes = self.bytes(N)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, BoxError> {
        self.array::<1>().map(|[b]| b)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, BoxError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, BoxError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, BoxError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Version and flags of a full box whose version is at most `max`.
    pub fn full(&mut self, max: u8) -> Result<(u8, u32), BoxError> {
        let at = self.base;
        let word = self.u32()?;
        let version = (word >> 24) as u8;
        if version > max {
            return Err(BoxError::Version {
                kind: self.kind,
                at,
                version,
                max,
            });
        }
        Ok((version, word & 0x00ff_ffff))
    }

    /// A field of four bytes in version 0 and of eight in version 1.
    pub fn wide(&mut self, version: u8) -> Result<u64, BoxError> {
        if version == 0 {
            self.u32().map(u64::from)
        } else {
            self.u64()
        }
    }

    /// A string that ends with a zero byte.
    pub fn string(&mut self) -> Result<String, BoxError> {
        let Some(len) = self.data.iter().position(|b| *b == 0) else {
            return Err(BoxError::Short {
                kind: self.kind,
                at: self.base + self.data.len(),
                need: 1,
                have: 0,
            });
        };
        let text = String::from_utf8_lossy(self.bytes(len)?).into_owned();
        self.u8()?;
        Ok(text)
    }

    /// A value that `field` cannot have.
    pub fn bad(&self, field: &'static str, value: u64) -> BoxError {
        BoxError::Value {
            kind: self.kind,
            field,
            value,
            at: self.base,
        }
    }

    /// Body of the next child box; `None` at the end.
    pub fn child(&mut self) -> Result<Option<Reader<'a>>, BoxError> {
        if self.data.is_empty() {
            return Ok(None);
        }
        let (at, have) = (self.base, self.data.len());
        let size = self.u32()?;
        let kind = FourCc(self.array()?);
        let (size, header) = match size {
            0 => (have as u64, 8),
            1 => (self.u64()?, 16),
            size => (u64::from(size), 8),
        };
        let body = usize::try_from(size)
            .ok()
            .filter(|size| *size <= have)
            .and_then(|size| size.checked_sub(header));
        let Some(body) = body else {
            return Err(BoxError::Size { kind, at, size, have });
        };
        let base = self.base;
        Ok(Some(Reader {
            kind,
            data: self.bytes(body)?,
            base,
        }))
    }

    /// Puts a decoded child into its place, once.
    pub fn once<T: Atom>(&self, slot: &mut Option<T>, child: &mut Reader<'a>) -> Result<(), BoxError> {
        if slot.is_some() {
            return Err(BoxError::Repeated {
                parent: self.kind,
                child: T::KIND,
                at: child.at(),
            });
        }
        *slot = Some(T::decode_body(child)?);
        Ok(())
    }

    /// The child that was found, or the error that there is none.
    pub fn found<T: Atom>(&self, slot: Option<T>) -> Result<T, BoxError> {
        slot.ok_or(BoxError::Missing {
            parent: self.kind,
            child: T::KIND,
            at: self.base,
        })
    }
}

/// One kind of box.
pub trait Atom: Sized {
    /// Its letters.
    const KIND: FourCc;

    /// Reads what lies after the header.
    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError>;

    /// Writes what lies after the header.
    fn encode_body(&self, out: &mut Vec<u8>);

    /// Writes the whole box.
    fn encode(&self, out: &mut Vec<u8>) {
        wrap(out, Self::KIND, |out| self.encode_body(out));
    }

    /// The whole box as bytes.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// The first box of this kind in a sequence of boxes.
    fn find(data: &[u8]) -> Result<Self, BoxError> {
        let mut r = Reader::new(data);
        while let Some(mut child) = r.child()? {
            if child.kind() == Self::KIND {
                return Self::decode_body(&mut child);
            }
        }
        r.found(None)
    }
}

/// Writes a box around what `body` writes.
pub fn wrap(out: &mut Vec<u8>, kind: FourCc, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend(kind.0);
    body(out);
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Writing of fields, big-endian.
pub trait Put {
    /// One byte.
    fn u8(&mut self, v: u8);
    /// Two bytes.
    fn u16(&mut self, v: u16);
    /// Four bytes.
    fn u32(&mut self, v: u32);
    /// Eight bytes.
    fn u64(&mut self, v: u64);
    /// `n` zero bytes.
    fn zeros(&mut self, n: usize);
    /// Version and 24 bits of flags.
    fn full(&mut self, version: u8, flags: u32);
}

impl Put for Vec<u8> {
    fn u8(&mut self, v: u8) {
        self.push(v);
    }
    fn u16(&mut self, v: u16) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn u32(&mut self, v: u32) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.extend_from_slice(&v.to_be_bytes());
    }
    fn zeros(&mut self, n: usize) {
        self.resize(self.len() + n, 0);
    }
    fn full(&mut self, version: u8, flags: u32) {
        self.u32(u32::from(version) << 24 | flags & 0x00ff_ffff);
    }
}

/// The unity matrix of `mvhd` and `tkhd`.
pub(super) fn matrix(out: &mut Vec<u8>) {
    for v in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        out.u32(v);
    }
}
