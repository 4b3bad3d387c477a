//! The values of a file's metadata, left where they lie until they are asked for.

use std::fmt;
use std::path::Path;

use crate::ModelError;

use super::cursor::Cursor;

/// Lists within lists go no deeper than this.
const DEEPEST: usize = 4;

/// A type of values, `gguf_type` in ggml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called what it is")]
pub enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Flag,
    Text,
    List,
    U64,
    I64,
    F64,
}

/// A value of the metadata.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number of any width and sign.
    Integer(i128, ValueType),
    /// A fraction of either width.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A text; mostly UTF-8.
    Text(&'a [u8]),
    /// Values of one type.
    List(Array<'a>),
}

/// A list of values of one type: an iterator over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    /// Starts at the next value.
    bytes: &'a [u8],
    kind: ValueType,
    left: u64,
}

/// Where a value lies, its length already checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    kind: ValueType,
    start: usize,
}

impl ValueType {
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Flag,
            8 => Self::Text,
            9 => Self::List,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Returns the bytes of one value, where they are always the same.
    fn width(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Flag => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::List => None,
        }
    }
}

impl Place {
    /// Reads a type and steps over its value.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ModelError> {
        let kind = read_type(cursor)?;
        let start = cursor.position();
        step_over(cursor, kind, 0)?;
        Ok(Self { kind, start })
    }

    /// Returns the type and the value as they lie in the file.
    pub(super) fn bytes<'a>(&self, path: &Path, file: &'a [u8]) -> &'a [u8] {
        // The type is the number before the value.
        let from = &file[self.start - size_of::<u32>()..];
        let mut cursor = Cursor::new(path, from);
        let whole = Self::read(&mut cursor);
        whole.expect("its length was checked when it was read");
        &from[..cursor.position()]
    }

    /// Returns the value; `file` is the whole file.
    pub(super) fn value<'a>(&self, file: &'a [u8]) -> Value<'a> {
        value(&mut &file[self.start..], self.kind).expect("its length was checked when it was read")
    }
}

fn read_type(cursor: &mut Cursor<'_>) -> Result<ValueType, ModelError> {
    let number = cursor.u32()?;
    ValueType::of(number)
        .ok_or_else(|| cursor.wrong("the type of a value", "0 to 12", &number.to_string()))
}

fn step_over(cursor: &mut Cursor<'_>, kind: ValueType, depth: usize) -> Result<(), ModelError> {
    match kind {
        ValueType::Text => {
            let length = cursor.u64()?;
            cursor.take(length)?;
        }
        ValueType::List => {
            if depth == DEEPEST {
                return Err(cursor.wrong("a list", "at most 4 lists in one another", "more"));
            }
            let kind = read_type(cursor)?;
            let count = cursor.u64()?;
            match kind.width() {
                Some(width) => {
                    cursor.take(count.saturating_mul(width))?;
                }
                // Each takes 8 bytes at least, so a wrong count ends at the file's end.
                None => {
                    for _ in 0..count {
                        step_over(cursor, kind, depth + 1)?;
                    }
                }
            }
        }
        fixed => {
            cursor.take(fixed.width().expect("only texts and lists vary"))?;
        }
    }
    Ok(())
}

/// Returns the value at the start of `bytes` and moves `bytes` behind it.
fn value<'a>(bytes: &mut &'a [u8], kind: ValueType) -> Option<Value<'a>> {
    Some(match kind {
        ValueType::U8 => Value::Integer(u8::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::I8 => Value::Integer(i8::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::U16 => Value::Integer(u16::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::I16 => Value::Integer(i16::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::U32 => Value::Integer(u32::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::I32 => Value::Integer(i32::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::U64 => Value::Integer(u64::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::I64 => Value::Integer(i64::from_le_bytes(array(bytes)?).into(), kind),
        ValueType::F32 => Value::Number(f32::from_le_bytes(array(bytes)?).into()),
        ValueType::F64 => Value::Number(f64::from_le_bytes(array(bytes)?)),
        ValueType::Flag => Value::Flag(array::<1>(bytes)?[0] != 0),
        ValueType::Text => {
            let length = u64::from_le_bytes(array(bytes)?);
            Value::Text(bytes.split_off(..usize::try_from(length).ok()?)?)
        }
        ValueType::List => {
            let kind = ValueType::of(u32::from_le_bytes(array(bytes)?))?;
            let left = u64::from_le_bytes(array(bytes)?);
            let list = Array { bytes, kind, left };
            let mut rest = list;
            for _ in rest.by_ref() {}
            *bytes = rest.bytes;
            Value::List(list)
        }
    })
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

impl<'a> Iterator for Array<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        value(&mut self.bytes, self.kind)
    }

    /// What is left was found in the file when it was opened.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left.min(self.bytes.len()), Some(left))
    }
}

impl Value<'_> {
    /// Returns the whole number, unless it is something else.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number, _) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Returns the number, unless it is something else; whole numbers count.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number, _) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    /// Writes it short enough for an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number, _) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let short: String = text.chars().take(40).collect();
                write!(f, "{short:?}")
            }
            Self::List(list) => write!(f, "a list of {} values", list.left),
        }
    }
}
