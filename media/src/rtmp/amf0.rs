//! AMF0 values, and AMF3 ones behind the switch marker, within bounds.
//!
//! Decoding is lenient where encoders are sloppy: counts of arrays are hints, bytes that are not UTF-8 become
//! U+FFFD, and an object that is cut off keeps what was read of it.

use bytes::{BufMut, BytesMut};

mod amf3;

/// Deepest nesting accepted.
pub const DEPTH_MAX: usize = 16;
/// Most values in one message.
pub const VALUES_MAX: usize = 8_192;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Text, long or short.
    String(String),
    /// Named values in order: an object, a typed object or an ECMA array.
    Object(Vec<(String, Value)>),
    /// Values in order.
    Array(Vec<Value>),
    /// Milliseconds since 1970.
    Date(f64),
    /// XML text.
    Xml(String),
    /// Nothing.
    Null,
    /// Less than nothing.
    Undefined,
}

/// Why bytes are not AMF.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmfError {
    /// They end inside a value.
    #[error("AMF value is cut off at byte {0}")]
    Truncated(usize),
    /// No such type.
    #[error("AMF marker {marker:#04x} at byte {at} is unknown")]
    Marker {
        /// What stands there.
        marker: u8,
        /// Where.
        at: usize,
    },
    /// Beyond [`DEPTH_MAX`].
    #[error("AMF values nested more than {DEPTH_MAX} deep")]
    Depth,
    /// Beyond [`VALUES_MAX`].
    #[error("more than {VALUES_MAX} AMF values")]
    TooMany,
    /// A reference to something that was not there.
    #[error("AMF reference {0} to nothing")]
    Reference(u32),
}

impl Value {
    /// Text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) | Self::Xml(s) => Some(s),
            _ => None,
        }
    }

    /// A number, also one written as text.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::String(s) => s.trim().parse().ok(),
            _ => None,
        }
    }

    /// A property by name; the last one wins.
    pub fn property(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => fields.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }
}

/// Reads all values of a message. On damage, what came before it is given out beside the error.
pub fn decode(bytes: &[u8]) -> (Vec<Value>, Option<AmfError>) {
    let mut reader = Reader {
        bytes,
        at: 0,
        values: 0,
    };
    let mut out = Vec::new();
    while reader.at < bytes.len() {
        match reader.value(0) {
            Ok(value) => out.push(value),
            Err(error) => return (out, Some(error)),
        }
    }
    (out, None)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(AmfError::Truncated(self.bytes.len()))?;
        self.at += count;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, AmfError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, AmfError> {
        Ok(self.take(2)?.iter().fold(0, |n, &b| n << 8 | u16::from(b)))
    }

    fn u32(&mut self) -> Result<u32, AmfError> {
        Ok(self.take(4)?.iter().fold(0, |n, &b| n << 8 | u32::from(b)))
    }

    fn double(&mut self) -> Result<f64, AmfError> {
        Ok(f64::from_bits(
            self.take(8)?.iter().fold(0, |n, &b| n << 8 | u64::from(b)),
        ))
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = usize::from(self.u16()?);
        self.text(length)
    }

    fn count(&mut self, depth: usize) -> Result<(), AmfError> {
        self.values += 1;
        if depth > DEPTH_MAX {
            Err(AmfError::Depth)
        } else if self.values > VALUES_MAX {
            Err(AmfError::TooMany)
        } else {
            Ok(())
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.count(depth)?;
        let at = self.at;
        Ok(match self.u8()? {
            0x00 => Value::Number(self.double()?),
            0x01 => Value::Boolean(self.u8()? != 0),
            0x02 => Value::String(self.short_text()?),
            0x03 => Value::Object(self.fields(depth)?),
            0x05 => Value::Null,
            // References to earlier objects; no publisher needs one, so what they meant is not kept.
            0x07 => {
                self.u16()?;
                Value::Undefined
            }
            0x06 | 0x0d => Value::Undefined,
            0x08 => {
                self.u32()?;
                Value::Object(self.fields(depth)?)
            }
            0x0a => {
                let count = self.u32()?;
                let mut items = Vec::new();
                for _ in 0..count {
                    if self.at == self.bytes.len() {
                        break;
                    }
                    items.push(self.value(depth + 1)?);
                }
                Value::Array(items)
            }
            0x0b => {
                let millis = self.double()?;
                self.u16()?;
                Value::Date(millis)
            }
            0x0c => {
                let length = self.u32()? as usize;
                Value::String(self.text(length)?)
            }
            0x0f => {
                let length = self.u32()? as usize;
                Value::Xml(self.text(length)?)
            }
            0x10 => {
                self.short_text()?;
                Value::Object(self.fields(depth)?)
            }
            0x11 => {
                let mut amf3 = amf3::Reader::new(self.bytes, self.at, self.values);
                let value = amf3.value(depth + 1)?;
                (self.at, self.values) = amf3.position();
                value
            }
            marker => return Err(AmfError::Marker { marker, at }),
        })
    }

    /// Properties up to the end marker, or up to where the bytes end.
    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut out = Vec::new();
        loop {
            match self.bytes[self.at..] {
                [] => return Ok(out),
                [0, 0, 9, ..] => {
                    self.at += 3;
                    return Ok(out);
                }
                _ => {}
            }
            let field = self.short_text().and_then(|name| Ok((name, self.value(depth + 1)?)));
            match field {
                Ok(field) => out.push(field),
                Err(AmfError::Truncated(_)) => {
                    self.at = self.bytes.len();
                    return Ok(out);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Appends a value.
pub fn encode(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Number(n) => {
            out.put_u8(0);
            out.put_f64(*n);
        }
        Value::Boolean(b) => out.put_slice(&[1, u8::from(*b)]),
        Value::String(s) if s.len() <= 0xffff => {
            out.put_u8(2);
            put_short_text(out, s);
        }
        Value::String(s) => put_long_text(out, 0x0c, s),
        Value::Xml(s) => put_long_text(out, 0x0f, s),
        Value::Object(fields) => {
            out.put_u8(3);
            for (name, value) in fields {
                put_short_text(out, name);
                encode(out, value);
            }
            out.put_slice(&[0, 0, 9]);
        }
        Value::Array(items) => {
            out.put_u8(0x0a);
            out.put_u32(items.len() as u32);
            items.iter().for_each(|item| encode(out, item));
        }
        Value::Date(millis) => {
            out.put_u8(0x0b);
            out.put_f64(*millis);
            out.put_u16(0);
        }
        Value::Null => out.put_u8(5),
        Value::Undefined => out.put_u8(6),
    }
}

/// A message's worth of values.
pub fn encode_all(values: &[Value]) -> BytesMut {
    let mut out = BytesMut::with_capacity(256);
    values.iter().for_each(|value| encode(&mut out, value));
    out
}

fn put_short_text(out: &mut BytesMut, text: &str) {
    let mut end = text.len().min(0xffff);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.put_u16(end as u16);
    out.put_slice(&text.as_bytes()[..end]);
}

fn put_long_text(out: &mut BytesMut, marker: u8, text: &str) {
    out.put_u8(marker);
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::String(s.to_owned())
    }
}

impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Self::Number(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Boolean(b)
    }
}

/// An object from name and value pairs.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

#[cfg(test)]
mod tests;
