//! A disk that fails as a test specifies, and records the operations of a cache.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use media_cache::{FileFaults, FileOperation};
use rustix::io::Errno;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with this error.
    Error(Errno),
    /// The operation does not return until all faults end.
    Hang,
}

/// Chooses the fault of an operation, if any, by the operation's [`name`].
type Plan = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// Makes operations on files fail.
#[derive(Default)]
pub struct FaultyDisk {
    state: Mutex<State>,
    ended: Condvar,
    begun: Condvar,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// Operations that must wait, each with the operation that must begin first.
    order: Vec<(&'static str, &'static str)>,
    seen: BTreeSet<String>,
    failed: usize,
}

/// The name of an operation: the action and the kind of file, such as `create *.dat`. The digests of entries at the start of file names are
/// omitted.
#[must_use]
pub fn name(operation: &FileOperation) -> String {
    let file = match operation.file.split_once('.') {
        Some((stem, rest)) if stem.len() == 64 => format!("*.{rest}"),
        // An unnamed file.
        _ if operation.file.starts_with('#') => "body to be stored".into(),
        _ => operation.file.clone(),
    };
    format!("{} {file}", operation.action)
}

impl FaultyDisk {
    /// From now on, a plan decides which operations fail.
    pub fn fail(&self, plan: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.state.lock().unwrap().plan = Some(Box::new(plan));
    }

    /// From now on, no operation fails, and operations that hang are completed.
    pub fn work(&self) {
        self.state.lock().unwrap().plan = None;
        self.ended.notify_all();
    }

    /// From now on, an operation waits until another operation begins, however long that takes.
    pub fn begin_after(&self, operation: &'static str, other: &'static str) {
        self.state.lock().unwrap().order.push((operation, other));
    }

    /// The names of all operations so far, whether they failed or not.
    pub fn seen(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The number of operations that have failed or hung.
    pub fn failed(&self) -> usize {
        self.state.lock().unwrap().failed
    }
}

impl FileFaults for FaultyDisk {
    fn before(&self, operation: &FileOperation) -> io::Result<()> {
        let (name, mut state) = (name(operation), self.state.lock().unwrap());
        let fault = state.plan.as_mut().and_then(|plan| plan(&name));
        let waits_for = state.order.iter().find(|(operation, _)| *operation == name).map(|(_, other)| *other);
        state.seen.insert(name);
        self.begun.notify_all();
        if let Some(other) = waits_for {
            state = self.begun.wait_while(state, |state| !state.seen.contains(other)).unwrap();
        }
        state.failed += usize::from(fault.is_some());
        match fault {
            None => Ok(()),
            Some(Fault::Error(errno)) => Err(errno.into()),
            Some(Fault::Hang) => {
                drop(self.ended.wait_while(state, |state| state.plan.is_some()).unwrap());
                Ok(())
            }
        }
    }
}

/// Ends all faults when it is dropped, so that a failing test does not hang.
pub struct EndFaults(pub Arc<FaultyDisk>);

impl Drop for EndFaults {
    fn drop(&mut self) {
        self.0.work();
    }
}
