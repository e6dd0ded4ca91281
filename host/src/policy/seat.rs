//! A policy and the rankings that it keeps for a cache.

use super::ledger::{Page, Told};
use super::{
    Access, CreateError, Description, Entry, Event, OptionDescription, PolicyComponent, PolicyFault, PolicyInstance, PolicyLimits,
    PolicyOrigin, PolicySpec, Ranking,
};
use crate::engine::Engine;

/// A policy that a cache is to have, with its options.
#[derive(Clone)]
pub struct PolicyChoice {
    /// The policy.
    pub component: PolicyComponent,
    /// Options, name and value.
    pub options: Vec<(String, String)>,
}

impl PolicyChoice {
    /// How it would be written on a command line.
    #[must_use]
    pub fn spec(&self) -> PolicySpec {
        PolicySpec { origin: self.component.origin().clone(), options: self.options.clone() }
    }

    /// Every option that the policy says it has, and the value that was given for it or its default.
    #[must_use]
    pub fn all_options(&self, description: &Description) -> Vec<(String, String)> {
        let value = |option: &OptionDescription| {
            let given = self.options.iter().find(|(name, _)| *name == option.name);
            given.map_or_else(|| option.default.clone(), |(_, value)| value.clone())
        };
        description.options.iter().map(|option| (option.name.clone(), value(option))).collect()
    }

    /// Whether it is the same component with the same options.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.component.digest() == other.component.digest() && self.options == other.options
    }

    /// Whether it is the policy of this name that comes with this library.
    #[must_use]
    pub fn is_built_in(&self, name: &str) -> bool {
        matches!(self.component.origin(), PolicyOrigin::BuiltIn(known) if known == name)
    }
}

impl From<PolicyComponent> for PolicyChoice {
    fn from(component: PolicyComponent) -> Self {
        Self { component, options: Vec::new() }
    }
}

/// A policy that runs, and its rankings.
pub(super) struct Seat {
    pub choice: PolicyChoice,
    pub instance: PolicyInstance,
    /// By the number that the cache knows them by.
    rankings: Vec<Option<Ranking>>,
}

impl Seat {
    /// Starts a policy, and has it make rankings of these capacities under these numbers.
    pub fn new(
        engine: &Engine,
        choice: PolicyChoice,
        limits: PolicyLimits,
        rankings: impl IntoIterator<Item = (usize, u64)>,
    ) -> Result<Self, CreateError> {
        let instance = PolicyInstance::new(engine, &choice.component, limits)?;
        let mut seat = Self::of(choice, instance);
        for (number, capacity) in rankings {
            seat.create(number, capacity)?;
        }
        Ok(seat)
    }

    /// A policy that was started, without rankings.
    pub fn of(choice: PolicyChoice, instance: PolicyInstance) -> Self {
        Self { choice, instance, rankings: Vec::new() }
    }

    /// Has the policy make a ranking.
    pub fn create(&mut self, number: usize, capacity: u64) -> Result<(), CreateError> {
        let ranking = self.instance.create(capacity, &self.choice.options)?;
        if number >= self.rankings.len() {
            self.rankings.resize_with(number + 1, || None);
        }
        self.rankings[number] = Some(ranking);
        Ok(())
    }

    /// The policy and one of its rankings.
    pub fn ranking(&mut self, number: usize) -> Option<(&mut PolicyInstance, &Ranking)> {
        let ranking = self.rankings.get(number)?.as_ref()?;
        Some((&mut self.instance, ranking))
    }

    /// Gives a ranking back.
    pub fn forget(&mut self, number: usize) -> Result<(), PolicyFault> {
        match self.rankings.get_mut(number).and_then(Option::take) {
            Some(ranking) => self.instance.forget(ranking),
            None => Ok(()),
        }
    }

    /// Tells a ranking what a page says.
    pub fn tell(&mut self, number: usize, page: &Page) -> Result<(), PolicyFault> {
        let Some((policy, ranking)) = self.ranking(number) else { return Ok(()) };
        if !page.gone.is_empty() {
            let gone: Vec<Event> = page.gone.iter().map(|id| Event::Removed(*id)).collect();
            policy.observe(ranking, &gone)?;
        }
        let alike = |a: &Told, b: &Told| std::mem::discriminant(a) == std::mem::discriminant(b);
        for run in page.entries.chunk_by(alike) {
            let entries: Vec<Entry> = run.iter().filter_map(Told::entry).collect();
            if entries.is_empty() {
                let events: Vec<Event> = run.iter().filter_map(Told::access).map(Event::Accessed).collect();
                policy.observe(ranking, &events)?;
            } else {
                policy.restore(ranking, &entries)?;
            }
        }
        Ok(())
    }
}

impl Told {
    fn entry(&self) -> Option<Entry> {
        match self {
            Self::Resides(entry) => Some(*entry),
            Self::Accessed(_) => None,
        }
    }

    fn access(&self) -> Option<Access> {
        match self {
            Self::Accessed(access) => Some(*access),
            Self::Resides(_) => None,
        }
    }
}
