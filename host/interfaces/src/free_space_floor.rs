//! The free space that a cache leaves on a file system.

use std::path::Path;

/// The free space that a cache leaves on its file system, in bytes or as a percentage of the file system. Default: 0 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeSpaceFloor {
    /// A number of bytes.
    Bytes(u64),
    /// A percentage of the size of the file system, at most 100.
    Percent(u8),
}

impl Default for FreeSpaceFloor {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl FreeSpaceFloor {
    /// The floor in bytes on a file system of this size.
    #[must_use]
    pub fn bytes_of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => total / 100 * u64::from(percent),
        }
    }

    /// The free space above the floor on the file system of a directory, in bytes. `None` if it cannot be determined.
    #[must_use]
    pub fn space_above(self, directory: &Path) -> Option<u64> {
        let stat = rustix::fs::statvfs(directory).ok()?;
        let available = stat.f_bavail.saturating_mul(stat.f_frsize);
        Some(available.saturating_sub(self.bytes_of(stat.f_blocks.saturating_mul(stat.f_frsize))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentage_refers_to_the_size_of_the_file_system() {
        assert_eq!(FreeSpaceFloor::Percent(5).bytes_of(1000), 50);
        assert_eq!(FreeSpaceFloor::Percent(100).bytes_of(u64::MAX), u64::MAX / 100 * 100);
        assert_eq!(FreeSpaceFloor::Bytes(7).bytes_of(1), 7);
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(FreeSpaceFloor::Bytes(u64::MAX).space_above(directory.path()), Some(0));
        assert!(FreeSpaceFloor::default().space_above(directory.path()) > Some(0));
        assert_eq!(FreeSpaceFloor::default().space_above(&directory.path().join("missing")), None);
    }
}
