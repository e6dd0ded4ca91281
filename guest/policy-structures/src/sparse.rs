//! An array in which only the parts in use take up memory.

/// The number of items in a part. Large parts would be slow to fill with default values, since the first thousand ids may be spread over
/// the whole range.
const PART: usize = 64;

/// An array whose items have a default value until they are written. Writing an item allocates memory only for it and its neighbours, and
/// does not move other items.
pub struct Sparse<T> {
    parts: Vec<Option<Box<[T]>>>,
    default: T,
}

impl<T: Copy> Sparse<T> {
    /// An array of items with this value.
    pub const fn new(default: T) -> Self {
        Self { parts: Vec::new(), default }
    }

    /// The item at a position, if it or one of its neighbours was ever written.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.parts.get(at / PART)?.as_ref()?.get(at % PART)
    }

    /// The item at a position, if it or one of its neighbours was ever written.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.parts.get_mut(at / PART)?.as_mut()?.get_mut(at % PART)
    }

    /// The item at a position, for writing.
    pub fn at(&mut self, at: usize) -> &mut T {
        if at / PART >= self.parts.len() {
            self.parts.resize_with(at / PART + 1, || None);
        }
        let default = self.default;
        &mut self.parts[at / PART].get_or_insert_with(|| [default; PART].into())[at % PART]
    }

    /// The number of items that take up memory.
    #[cfg(test)]
    pub fn allocated(&self) -> usize {
        self.parts.iter().flatten().count() * PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwritten_items_have_the_default_value_and_only_parts_in_use_take_up_memory() {
        let mut sparse = Sparse::new('-');
        assert!(sparse.get(0).is_none() && sparse.get_mut(1 << 20).is_none() && sparse.allocated() == 0);
        *sparse.at(10 * PART) = 'a';
        *sparse.at(1) = 'b';
        *sparse.at(10 * PART + 1) = 'c';
        let got = [0, 1, PART, 10 * PART, 10 * PART + 1, 11 * PART].map(|at| sparse.get(at).copied());
        assert_eq!(got, [Some('-'), Some('b'), None, Some('a'), Some('c'), None]);
        assert_eq!(sparse.allocated(), 2 * PART);
        *sparse.get_mut(0).unwrap() = 'd';
        assert_eq!(sparse.at(0), &'d');
    }
}
