//! SentencePiece's table of characters that are replaced before a text is cut.
//!
//! It is a double array (darts-clone) and the texts that its values point into. The
//! `tokenizers` crate follows it on trust, and panics where it leads out of itself; so
//! whatever comes from a file is checked here first.

/// A unit that is a value, not a step.
const VALUE: u32 = 1 << 31;
/// A step at whose end a value lies.
const HAS_VALUE: u32 = 1 << 8;

/// Returns whether every step from every unit stays within the table, and every value
/// is the start of a text.
pub(super) fn is_sound(table: &[u8]) -> bool {
    let mut rest = table;
    let Some(length) = rest.split_off(..4) else {
        return false;
    };
    let length = u32::from_le_bytes(length.try_into().expect("they are 4")) as usize;
    let Some(units) = rest.split_off(..length) else {
        return false;
    };
    let Ok(texts) = std::str::from_utf8(rest) else {
        return false;
    };
    let units: Vec<u32> = units
        .as_chunks()
        .0
        .iter()
        .map(|four| u32::from_le_bytes(*four))
        .collect();
    let step_is_sound = |(place, unit): (usize, &u32)| {
        if unit & VALUE != 0 {
            return true;
        }
        let base = place ^ offset(*unit);
        let value_is_sound = || {
            let value = units.get(base).map(|value| (value & !VALUE) as usize);
            value.is_some_and(|value| value < texts.len() && texts.is_char_boundary(value))
        };
        (base | 0xff) < units.len() && (unit & HAS_VALUE == 0 || value_is_sound())
    };
    !units.is_empty() && units.iter().enumerate().all(step_is_sound)
}

/// `DoubleArrayUnit::offset` of darts-clone.
fn offset(unit: u32) -> usize {
    ((unit >> 10) as usize) << ((unit & (1 << 9)) >> 6)
}
