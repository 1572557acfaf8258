//! An input read as a list of instructions; whatever is missing at its end is zero.

/// The rest of an input.
pub(crate) struct Script<'input>(pub(crate) &'input [u8]);

impl<'input> Script<'input> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, bytes: usize) -> &'input [u8] {
        let (taken, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    pub(crate) fn u64(&mut self) -> u64 {
        let mut whole = [0; 8];
        let taken = self.take(8);
        whole[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(whole)
    }

    /// Cuts what is left into chunks: one byte says how many, one each how long; the last takes the rest.
    pub(crate) fn chunks(&mut self) -> Vec<&'input [u8]> {
        let count = usize::from(self.u8());
        let lengths = self.take(count);
        let mut chunks: Vec<_> = lengths.iter().map(|length| self.take(usize::from(*length))).collect();
        chunks.push(self.take(usize::MAX));
        chunks
    }
}
