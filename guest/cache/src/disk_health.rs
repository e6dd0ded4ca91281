//! Remembers which disk operations fail, until they work again.

/// Operations that can fail independently of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Loading the directory.
    Load,
    /// Storing an entry.
    Store,
    /// Reading an entry.
    Read,
    /// Deleting files.
    Delete,
    /// Writing the index log.
    Log,
}

const OPERATIONS: [Operation; 5] = [Operation::Load, Operation::Store, Operation::Read, Operation::Delete, Operation::Log];

/// The failures of the disk.
#[derive(Debug, Default)]
pub struct DiskHealth {
    failures: [Option<(String, u64)>; OPERATIONS.len()],
}

impl DiskHealth {
    /// Records a failure at a time in milliseconds since 1970. For consecutive failures of an operation, the latest reason and the earliest
    /// time are kept.
    pub fn failed(&mut self, operation: Operation, reason: String, now: u64) {
        let failure = &mut self.failures[operation as usize];
        let since = failure.as_ref().map_or(now, |(_, since)| *since);
        *failure = Some((reason, since));
    }

    /// Records that an operation succeeded.
    pub fn succeeded(&mut self, operation: Operation) {
        self.failures[operation as usize] = None;
    }

    /// Whether the last operation of this kind failed.
    #[must_use]
    pub fn fails(&self, operation: Operation) -> bool {
        self.failures[operation as usize].is_some()
    }

    /// A description of a current failure, and the time at which the first current failure occurred. `None` if nothing fails.
    #[must_use]
    pub fn failure(&self) -> Option<(&str, u64)> {
        let since = self.failures.iter().flatten().map(|(_, since)| *since).min()?;
        self.failures.iter().flatten().next().map(|(reason, _)| (reason.as_str(), since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_lasts_until_the_same_operation_succeeds() {
        let mut health = DiskHealth::default();
        health.failed(Operation::Log, "the disk is full".into(), 5);
        health.failed(Operation::Store, "permission denied".into(), 7);
        health.failed(Operation::Store, "the disk is full again".into(), 9);
        assert_eq!(health.failure(), Some(("the disk is full again", 5)));
        health.succeeded(Operation::Log);
        assert_eq!(health.failure(), Some(("the disk is full again", 7)));
        assert!(health.fails(Operation::Store) && !health.fails(Operation::Log));
        health.succeeded(Operation::Store);
        assert_eq!(health.failure(), None);
    }
}
