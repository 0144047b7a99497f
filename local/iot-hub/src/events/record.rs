//! One event in a file: length, CRC-32, then the fields. Numbers are little-endian.
//!
//! ```text
//! u32 length of payload | u32 crc of payload | payload:
//!   i64 sequence | i64 offset | i64 enqueued µs | text device | map system | map application | bytes body
//! ```
//! Text and bytes carry a u32 length, maps a u32 count.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::HubEvent;

/// Bytes before the payload.
pub(super) const HEADER: usize = 8;
/// No record is larger: a message holds 256 KB, its topic 64 KB, and the hub adds little.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The bytes end before the record does.
    Short,
    /// Length or checksum are wrong.
    Damaged,
}

/// Appends the record to `out`.
pub(super) fn encode(event: &HubEvent, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    for number in [event.sequence, event.offset, event.enqueued_us] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_bytes(out, event.device_id.as_bytes());
    for map in [&event.system_properties, &event.properties] {
        put_length(out, map.len());
        for (key, value) in map {
            put_bytes(out, key.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    put_bytes(out, &event.body);
    let payload = start + HEADER;
    let length = u32::try_from(out.len() - payload).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(&out[payload..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..payload].copy_from_slice(&crc.to_le_bytes());
}

/// Decodes the record at the start of `bytes`; returns it with its whole length.
pub(super) fn decode(partition: u32, bytes: &[u8]) -> Result<(HubEvent, usize), Broken> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Broken::Short)?;
    let length = usize::try_from(u32::from_le_bytes([header[0], header[1], header[2], header[3]]))
        .unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        return Err(Broken::Damaged);
    }
    let payload = rest.get(..length).ok_or(Broken::Short)?;
    if crc32fast::hash(payload) != u32::from_le_bytes([header[4], header[5], header[6], header[7]]) {
        return Err(Broken::Damaged);
    }
    let event = fields(partition, payload).ok_or(Broken::Damaged)?;
    Ok((event, HEADER + length))
}

fn fields(partition: u32, payload: &[u8]) -> Option<HubEvent> {
    let mut rest = payload;
    Some(HubEvent {
        partition,
        sequence: take_number(&mut rest)?,
        offset: take_number(&mut rest)?,
        enqueued_us: take_number(&mut rest)?,
        device_id: take_text(&mut rest)?,
        system_properties: take_map(&mut rest)?,
        properties: take_map(&mut rest)?,
        body: Bytes::copy_from_slice(take_bytes(&mut rest)?),
    })
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn take_number(rest: &mut &[u8]) -> Option<i64> {
    let (number, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(i64::from_le_bytes(*number))
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(rest)?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(rest)?.to_vec()).ok()
}

fn take_map(rest: &mut &[u8]) -> Option<BTreeMap<String, String>> {
    let count = take_length(rest)?;
    (0..count).map(|_| Some((take_text(rest)?, take_text(rest)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes(device in ".{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200),
            properties in proptest::collection::btree_map(".{0,10}", ".{0,10}", 0..5), sequence in any::<i64>()) {
            let event = HubEvent { partition: 3, sequence, offset: 5, enqueued_us: 7, device_id: device,
                system_properties: properties.clone(), properties, body: body.into() };
            let mut bytes = Vec::new();
            encode(&event, &mut bytes);
            let whole = bytes.len();
            prop_assert_eq!(decode(3, &bytes), Ok((event, whole)));
            prop_assert_eq!(decode(3, &bytes[..whole - 1]), Err(Broken::Short));
        }

        #[test]
        fn arbitrary_bytes_are_refused_in_peace(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(0, &bytes);
            let _ = fields(0, &bytes);
        }
    }
}
