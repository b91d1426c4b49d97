//! Decisions, read from bytes. Where those are used up each decision is the first choice.

use arbitrary::Unstructured;

pub(crate) struct Chance<'a>(Unstructured<'a>);

impl<'a> Chance<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// From 0 to `sides` - 1.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0.int_in_range(0..=sides.max(1) - 1).unwrap_or(0)
    }

    /// Once in `sides` times.
    pub(crate) fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == sides - 1
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        choices.get(self.roll(choices.len())).cloned()
    }

    /// Most often close to `about`, else anything, and rather at an end.
    pub(crate) fn number(&mut self, about: u64) -> u64 {
        match self.roll(16) {
            0..=5 => about,
            6..=8 => about.saturating_add(1),
            9 => about.saturating_add(2),
            10 | 11 => about.saturating_sub(1),
            12 => self.roll(8) as u64,
            13 => (1 << 53) - 1,
            14 => u64::MAX,
            _ => self.0.arbitrary().unwrap_or(0),
        }
    }

    /// A size: small, or at an end.
    pub(crate) fn small(&mut self) -> u32 {
        match self.roll(8) {
            0..=5 => u32::try_from(self.roll(64)).unwrap_or(0),
            6 => self.0.arbitrary().unwrap_or(0),
            _ => u32::MAX,
        }
    }

    /// The bytes left, up to so many.
    pub(crate) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let size = self.roll(most + 1).min(self.0.len());
        self.0.bytes(size).unwrap_or_default()
    }

    pub(crate) fn list<T>(&mut self, most: usize, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.roll(most + 1)).map(|_| each(self)).collect()
    }
}
