//! EBML elements (RFC 8794): identifiers, sizes and the few value types.

/// Appends an element identifier, which holds its own length.
pub(super) fn id(out: &mut Vec<u8>, id: u32) {
    let skip = (id.leading_zeros() / 8) as usize;
    out.extend_from_slice(&id.to_be_bytes()[skip.min(3)..]);
}

/// Appends a size in as few bytes as it needs.
pub(super) fn vint_size(out: &mut Vec<u8>, size: u64) {
    // All ones would mean "unknown", so each length ends one below that.
    for length in 1..=8_u32 {
        if size < (1_u64 << (7 * length)) - 1 {
            let marked = size | 1 << (7 * length);
            out.extend_from_slice(&marked.to_be_bytes()[8 - length as usize..]);
            return;
        }
    }
    wide_size(out, size);
}

/// Appends a size in eight bytes, whatever it is.
pub(super) fn wide_size(out: &mut Vec<u8>, size: u64) {
    let marked = size & ((1 << 56) - 1) | 1 << 56;
    out.extend_from_slice(&marked.to_be_bytes());
}

/// Appends an element with the given payload.
pub(super) fn element(out: &mut Vec<u8>, name: u32, payload: &[u8]) {
    id(out, name);
    vint_size(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends an element whose payload `fill` writes.
pub(super) fn group(out: &mut Vec<u8>, name: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut payload = Vec::new();
    fill(&mut payload);
    element(out, name, &payload);
}

/// Appends an unsigned integer in as few bytes as it needs.
pub(super) fn uint(out: &mut Vec<u8>, name: u32, value: u64) {
    let skip = (value.leading_zeros() / 8) as usize;
    element(out, name, &value.to_be_bytes()[skip.min(7)..]);
}

/// Appends a signed integer in eight bytes.
pub(super) fn int(out: &mut Vec<u8>, name: u32, value: i64) {
    element(out, name, &value.to_be_bytes());
}

/// Appends a 64-bit float.
pub(super) fn float(out: &mut Vec<u8>, name: u32, value: f64) {
    element(out, name, &value.to_be_bytes());
}

/// Appends an ASCII string.
pub(super) fn text(out: &mut Vec<u8>, name: u32, value: &str) {
    element(out, name, value.as_bytes());
}

/// Length of the payload of a whole element with a four-byte identifier.
pub(super) fn payload_len(whole: &[u8]) -> usize {
    let length = whole.get(4).map_or(0, |b| b.leading_zeros() as usize + 1);
    whole.len().saturating_sub(4 + length)
}
