//! The order in which downloads begin.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::oneshot;

use super::FetchError;
use super::gate::{GateCounts, GateOptions};

/// The least and the most that anybody is told to wait, in seconds.
const COME_BACK_AFTER: (f64, f64) = (1.0, 60.0);

/// Who downloads, and who waits. It knows no more hosts than there are downloads.
pub(super) struct Line {
    options: GateOptions,
    /// How many came so far, by which they are known.
    arrived: u64,
    under_way: usize,
    refused: u64,
    hosts: HashMap<Box<str>, Host>,
    /// Those who have a place at their host, and wait for one among all. While there are any, all of those are taken.
    ready: BTreeMap<u64, oneshot::Sender<()>>,
    /// How many wait for a place at their host.
    parked: usize,
    /// About how long a download takes.
    usual: Duration,
}

#[derive(Default)]
struct Host {
    /// Places taken: by those under way and those that are ready.
    taken: usize,
    /// Those who wait for a place here. While there are any, all places are taken.
    parked: VecDeque<(u64, oneshot::Sender<()>)>,
}

impl Line {
    pub fn new(options: GateOptions) -> Self {
        let (hosts, ready) = (HashMap::new(), BTreeMap::new());
        Self { options, arrived: 0, under_way: 0, refused: 0, hosts, ready, parked: 0, usual: Duration::ZERO }
    }

    pub fn counts(&self) -> GateCounts {
        GateCounts { under_way: self.under_way, waiting: self.waiting(), refused: self.refused }
    }

    /// Takes somebody in, under a number, and says how they learn that it is their turn. Refuses where too many wait already.
    pub fn arrive(&mut self, host: &str) -> Result<(u64, oneshot::Receiver<()>), FetchError> {
        let (taken, parked) = self.hosts.get(host).map_or((0, 0), |host| (host.taken, host.parked.len()));
        let has_place = taken < self.options.at_once_per_host.get();
        let must_wait = !has_place || self.under_way == self.options.at_once.get();
        let share = self.options.waiting.div_ceil(2);
        if must_wait && (self.waiting() >= self.options.waiting || parked >= share) {
            return Err(self.refuse(host));
        }
        let number = self.arrived;
        self.arrived += 1;
        let (turn, receiver) = oneshot::channel();
        let host = self.hosts.entry(host.into()).or_default();
        if has_place {
            host.taken += 1;
            self.ready.insert(number, turn);
        } else {
            host.parked.push_back((number, turn));
            self.parked += 1;
        }
        self.advance();
        Ok((number, receiver))
    }

    /// Lets somebody go, wherever they are; `took` is how long their download took, if there was one.
    pub fn leave(&mut self, host_name: &str, number: u64, took: Option<Duration>) {
        let Some(host) = self.hosts.get_mut(host_name) else { return };
        if let Some(position) = host.parked.iter().position(|(parked, _)| *parked == number) {
            host.parked.remove(position);
            self.parked -= 1;
            return;
        }
        if self.ready.remove(&number).is_none() {
            self.under_way -= 1;
        }
        match host.parked.pop_front() {
            // The place at the host passes on.
            Some((next, turn)) => {
                self.parked -= 1;
                self.ready.insert(next, turn);
            }
            None => host.taken -= 1,
        }
        if host.taken == 0 {
            self.hosts.remove(host_name);
        }
        if let Some(took) = took {
            self.usual = if self.usual.is_zero() { took } else { (self.usual * 7 + took) / 8 };
        }
        self.advance();
    }

    /// Counts somebody who is not served, and says when it may be worth coming back.
    pub fn refuse(&mut self, host: &str) -> FetchError {
        self.refused += 1;
        let parked = self.hosts.get(host).map_or(0, |host| host.parked.len());
        let rounds = |before: usize, at_once: usize| (before / at_once + 1) as f64;
        let rounds = rounds(parked, self.options.at_once_per_host.get()).max(rounds(self.waiting(), self.options.at_once.get()));
        let seconds = (self.usual.as_secs_f64() * rounds).ceil().clamp(COME_BACK_AFTER.0, COME_BACK_AFTER.1);
        FetchError::Overloaded { retry_after_seconds: Some(seconds as u32) }
    }

    fn waiting(&self) -> usize {
        self.ready.len() + self.parked
    }

    /// Tells those whose turn it is.
    fn advance(&mut self) {
        while self.under_way < self.options.at_once.get() {
            let Some((_, turn)) = self.ready.pop_first() else { return };
            self.under_way += 1;
            // Who goes away gives the place back by leaving.
            let _ = turn.send(());
        }
    }

    #[cfg(test)]
    pub fn knows_nobody(&self) -> bool {
        self.hosts.is_empty() && self.ready.is_empty() && self.under_way == 0 && self.parked == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn who_is_refused_is_told_of_a_time_by_how_long_downloads_take() {
        let told = |took: u64, waiting: usize| {
            let at_once = NonZeroUsize::new(2).unwrap();
            let options = GateOptions { at_once, at_once_per_host: NonZeroUsize::MIN, waiting, ..GateOptions::default() };
            let mut line = Line::new(options);
            let (number, _turn) = line.arrive("a").unwrap();
            line.leave("a", number, Some(Duration::from_secs(took)));
            let hosts: Vec<String> = (0..waiting + 2).map(|host| host.to_string()).collect();
            let turns: Vec<_> = hosts.iter().map(|host| line.arrive(host).unwrap()).collect();
            let refused = line.arrive("z").unwrap_err();
            drop(turns);
            match refused {
                FetchError::Overloaded { retry_after_seconds: Some(seconds) } => seconds,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(0, 4), 1, "nothing is known yet");
        assert_eq!(told(3, 0), 3, "one who has to end before");
        assert_eq!(told(3, 4), 9, "two and two wait, and then it is their turn");
        assert_eq!(told(100, 4), 60);
    }
}
