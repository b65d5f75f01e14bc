//! AMF3 values, as far as publishers use them: inside AMF0, behind marker 0x11.

use super::{AmfError, DEPTH_MAX, VALUES_MAX, Value};

/// The names and the shape of an object class met before.
#[derive(Clone)]
struct Traits {
    names: Vec<String>,
    dynamic: bool,
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
    strings: Vec<String>,
    traits: Vec<Traits>,
    /// Objects are counted so that references to them are known; what they hold is not repeated.
    objects: u32,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: usize, values: usize) -> Self {
        Self {
            bytes,
            at,
            values,
            strings: Vec::new(),
            traits: Vec::new(),
            objects: 0,
        }
    }

    /// Byte after the value, and values counted.
    pub fn position(&self) -> (usize, usize) {
        (self.at, self.values)
    }

    pub fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.values += 1;
        if depth > DEPTH_MAX {
            return Err(AmfError::Depth);
        }
        if self.values > VALUES_MAX {
            return Err(AmfError::TooMany);
        }
        let at = self.at;
        Ok(match self.u8()? {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            // 29 bits, two's complement.
            0x04 => Value::Number(f64::from((self.u29()? << 3) as i32 >> 3)),
            0x05 => Value::Number(self.double()?),
            0x06 => Value::String(self.string()?),
            0x07 | 0x0b => match self.inline()? {
                Some(length) => Value::Xml(self.text(length as usize)?),
                None => Value::Undefined,
            },
            0x08 => match self.inline()? {
                Some(_) => Value::Date(self.double()?),
                None => Value::Undefined,
            },
            0x09 => match self.inline()? {
                Some(count) => self.array(count, depth)?,
                None => Value::Undefined,
            },
            0x0a => self.object(depth)?,
            0x0c => {
                if let Some(length) = self.inline()? {
                    self.take(length as usize)?;
                }
                Value::Undefined
            }
            marker => return Err(AmfError::Marker { marker, at }),
        })
    }

    fn array(&mut self, count: u32, depth: usize) -> Result<Value, AmfError> {
        let mut named = Vec::new();
        self.named_values(depth, &mut named)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        if named.is_empty() {
            return Ok(Value::Array(items));
        }
        named.extend(items.into_iter().enumerate().map(|(i, v)| (i.to_string(), v)));
        Ok(Value::Object(named))
    }

    /// Names and values up to an empty name.
    fn named_values(&mut self, depth: usize, out: &mut Vec<(String, Value)>) -> Result<(), AmfError> {
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(());
            }
            out.push((name, self.value(depth + 1)?));
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, AmfError> {
        let header = self.u29()?;
        if header & 1 == 0 {
            return if header >> 1 < self.objects {
                Ok(Value::Undefined)
            } else {
                Err(AmfError::Reference(header >> 1))
            };
        }
        self.objects += 1;
        let traits = if header & 2 == 0 {
            let index = header >> 2;
            self.traits
                .get(index as usize)
                .ok_or(AmfError::Reference(index))?
                .clone()
        } else if header & 4 != 0 {
            // Externalizable: only its class knows its length.
            return Err(AmfError::Marker {
                marker: 0x0a,
                at: self.at,
            });
        } else {
            self.string()?; // class name
            let count = header >> 4;
            let mut names = Vec::new();
            for _ in 0..count {
                self.values += 1;
                if self.values > VALUES_MAX {
                    return Err(AmfError::TooMany);
                }
                names.push(self.string()?);
            }
            let traits = Traits {
                names,
                dynamic: header & 8 != 0,
            };
            self.traits.push(traits.clone());
            traits
        };
        let mut fields = Vec::new();
        for name in traits.names {
            fields.push((name, self.value(depth + 1)?));
        }
        if traits.dynamic {
            self.named_values(depth, &mut fields)?;
        }
        Ok(Value::Object(fields))
    }

    /// A length or count that stands inline; `None` for a reference.
    fn inline(&mut self) -> Result<Option<u32>, AmfError> {
        let header = self.u29()?;
        if header & 1 == 0 {
            return if header >> 1 < self.objects {
                Ok(None)
            } else {
                Err(AmfError::Reference(header >> 1))
            };
        }
        self.objects += 1;
        Ok(Some(header >> 1))
    }

    fn string(&mut self) -> Result<String, AmfError> {
        let header = self.u29()?;
        if header & 1 == 0 {
            let index = header >> 1;
            let text = self.strings.get(index as usize).ok_or(AmfError::Reference(index))?;
            // A repeated text costs memory without costing bytes, so it is charged like the values it could be.
            self.values += text.len() / 64;
            if self.values > VALUES_MAX {
                return Err(AmfError::TooMany);
            }
            return Ok(text.clone());
        }
        let text = self.text((header >> 1) as usize)?;
        if !text.is_empty() {
            self.strings.push(text.clone());
        }
        Ok(text)
    }

    /// One to four bytes, seven bits each, eight in the fourth.
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut value = 0u32;
        for _ in 0..3 {
            let byte = self.u8()?;
            value = value << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Ok(value << 8 | u32::from(self.u8()?))
    }

    fn double(&mut self) -> Result<f64, AmfError> {
        Ok(f64::from_bits(
            self.take(8)?.iter().fold(0, |n, &b| n << 8 | u64::from(b)),
        ))
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn u8(&mut self) -> Result<u8, AmfError> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let taken = self.bytes[self.at..]
            .get(..count)
            .ok_or(AmfError::Truncated(self.bytes.len()))?;
        self.at += count;
        Ok(taken)
    }
}
