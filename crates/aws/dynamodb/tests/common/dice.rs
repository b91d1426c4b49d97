//! Chances that are the same in each run: what is random in life must not compress in a test.

/// Xorshift.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    pub(crate) fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    /// Letters and digits, as ids have them.
    pub(crate) fn text(&mut self, letters: u64) -> String {
        let letter = |_| char::from_digit(u32::try_from(self.below(36)).unwrap(), 36).unwrap();
        (0..letters).map(letter).collect()
    }
}
