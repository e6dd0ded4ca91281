//! Free space, as given on the command line: a size, or a percentage of the file system.

use std::str::FromStr;

use media_cache::FreeSpaceFloor;

use crate::capacity::{Capacity, CapacityError};

/// Free space to leave on a file system.
#[derive(Clone, Copy, Debug)]
pub struct MinFree(pub FreeSpaceFloor);

/// Why a value is not a valid amount of free space.
#[derive(Debug, thiserror::Error)]
pub enum MinFreeError {
    /// Not a percentage.
    #[error("{0:?} is not a percentage from 0% to 100%, without a fraction")]
    Percentage(String),
    /// Not a size.
    #[error(transparent)]
    Size(#[from] CapacityError),
}

impl FromStr for MinFree {
    type Err = MinFreeError;

    fn from_str(text: &str) -> Result<Self, MinFreeError> {
        let text = text.trim();
        let floor = match text.strip_suffix('%').map(|percent| percent.trim_end().parse()) {
            Some(Ok(percent)) if percent <= 100 => FreeSpaceFloor::Percent(percent),
            Some(_) => return Err(MinFreeError::Percentage(text.into())),
            None if text == "0" => FreeSpaceFloor::Bytes(0),
            None => FreeSpaceFloor::Bytes(text.parse::<Capacity>()?.0),
        };
        Ok(Self(floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_a_size_or_a_percentage() {
        for (text, floor) in [
            ("0", FreeSpaceFloor::Bytes(0)),
            ("2GiB", FreeSpaceFloor::Bytes(2 << 30)),
            ("5 GB", FreeSpaceFloor::Bytes(5_000_000_000)),
            ("0%", FreeSpaceFloor::Percent(0)),
            (" 100 %", FreeSpaceFloor::Percent(100)),
        ] {
            assert_eq!(text.parse::<MinFree>().unwrap().0, floor, "{text}");
        }
        for text in ["101%", "-1%", "%", "5.5%", "256%"] {
            assert!(matches!(text.parse::<MinFree>(), Err(MinFreeError::Percentage(_))), "{text}");
        }
        for text in ["", "5G", "-1", "GB"] {
            assert!(matches!(text.parse::<MinFree>(), Err(MinFreeError::Size(_))), "{text}");
        }
    }
}
