//! Reading and writing of state blobs, little-endian; a short or garbled blob reads as `None`.

use zerocopy::IntoBytes as _;

use crate::clock::Clock;

/// First byte of every blob.
const VERSION: u8 = 1;

/// What every blob begins with: version, the kernel's letter, its layout, the device's clock.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) kernel: u8,
    /// Tells apart what cannot go on from each other's state.
    pub(crate) layout: u64,
}

impl Head {
    /// The clock and the reader of what follows; `None` for a blob of another kernel or layout.
    pub(crate) fn read(self, blob: &[u8]) -> Option<(Clock, Reader<'_>)> {
        let mut reader = Reader(blob);
        if reader.array()? != [VERSION, self.kernel] || reader.u64()? != self.layout {
            return None;
        }
        let newest = Some(reader.i64()?).filter(|time| *time != i64::MIN);
        Some((Clock { newest, contradictions: reader.u16()? }, reader))
    }

    pub(crate) fn write(self, clock: &Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, self.kernel]);
        out.extend_from_slice(&self.layout.to_le_bytes());
        out.extend_from_slice(&clock.newest.unwrap_or(i64::MIN).to_le_bytes());
        out.extend_from_slice(&clock.contradictions.to_le_bytes());
    }
}

/// Takes numbers off the front of a blob.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn f64s(&mut self, into: &mut [f64]) -> Option<()> {
        let (head, rest) = self.0.split_at_checked(into.len() * 8)?;
        // Numbers of a blob lie as a little-endian machine keeps them, which `wire` asks for.
        into.as_mut_bytes().copy_from_slice(head);
        self.0 = rest;
        Some(())
    }
}

pub(crate) fn put_f64s(values: &[f64], out: &mut Vec<u8>) {
    out.extend_from_slice(values.as_bytes());
}

/// FNV-1a: tells documents apart, guards against nothing.
#[derive(Clone, Copy)]
pub(crate) struct Tag(pub(crate) u64);

impl Tag {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        text.bytes().chain([0xff]).fold(self, Self::byte)
    }

    pub(crate) fn number(self, number: f64) -> Self {
        number.to_bits().to_le_bytes().into_iter().fold(self, Self::byte)
    }

    fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}
