//! As much of the ONNX format as reading one known network needs.
//!
//! Protocol-buffer wire format, bounded: no length is believed beyond the
//! bytes that are there, nothing recurses, unknown fields are skipped. Only
//! the graph's operations and its `f32` tensors are kept. Field numbers are
//! those of `onnx.proto3`, IR version 4.

use std::collections::BTreeMap;

/// More of anything than this is not our network.
const MAX_ITEMS: usize = 4096;

/// A graph: its operations in order and its constant tensors by name.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

/// One operation.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) operator: String,
    pub(crate) inputs: Vec<String>,
    /// Floating-point attributes by name.
    pub(crate) floats: BTreeMap<String, f32>,
}

/// A constant `f32` tensor.
#[derive(Debug, Default)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Why a file is not a graph.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum OnnxError {
    #[error("the file ends inside a field")]
    Truncated,
    #[error("a field is not valid")]
    Malformed,
    #[error("the file holds more than the format's bounds allow")]
    TooMuch,
}

/// Reads the graph of a serialised `ModelProto`.
///
/// # Errors
/// [`OnnxError`] if the bytes are not one.
pub(crate) fn read_graph(model: &[u8]) -> Result<Graph, OnnxError> {
    let mut graph = Graph::default();
    for field in Fields(model) {
        let (7, Value::Bytes(bytes)) = field? else { continue };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(node)) => {
                    bound(graph.nodes.len())?;
                    graph.nodes.push(read_node(node)?);
                }
                (5, Value::Bytes(tensor)) => {
                    bound(graph.tensors.len())?;
                    if let Some((name, tensor)) = read_tensor(tensor)? {
                        graph.tensors.insert(name, tensor);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(graph)
}

fn read_node(bytes: &[u8]) -> Result<Node, OnnxError> {
    let mut node = Node::default();
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(name)) => {
                bound(node.inputs.len())?;
                node.inputs.push(text(name)?);
            }
            (4, Value::Bytes(name)) => node.operator = text(name)?,
            (5, Value::Bytes(attribute)) => {
                bound(node.floats.len())?;
                let (mut name, mut float) = (String::new(), None);
                for field in Fields(attribute) {
                    match field? {
                        (1, Value::Bytes(bytes)) => name = text(bytes)?,
                        (2, Value::Fixed32(bits)) => float = Some(f32::from_bits(bits)),
                        _ => {}
                    }
                }
                if let Some(float) = float {
                    node.floats.insert(name, float);
                }
            }
            _ => {}
        }
    }
    Ok(node)
}

/// A tensor with its name, or nothing if it does not hold `f32`.
fn read_tensor(bytes: &[u8]) -> Result<Option<(String, Tensor)>, OnnxError> {
    const FLOAT: u64 = 1;
    let (mut name, mut tensor, mut data_type) = (String::new(), Tensor::default(), 0);
    let mut raw: &[u8] = &[];
    for field in Fields(bytes) {
        match field? {
            (1, Value::Varint(side)) => push_side(&mut tensor.shape, side)?,
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    let side = varint(&mut packed)?;
                    push_side(&mut tensor.shape, side)?;
                }
            }
            (2, Value::Varint(kind)) => data_type = kind,
            (8, Value::Bytes(bytes)) => name = text(bytes)?,
            // `float_data` (packed) and `raw_data` hold the same bytes.
            (4 | 9, Value::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    if data_type != FLOAT {
        return Ok(None);
    }
    tensor.values = read_floats(raw).ok_or(OnnxError::Malformed)?;
    let count = tensor.shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
    if count == Some(tensor.values.len()) {
        Ok(Some((name, tensor)))
    } else {
        Err(OnnxError::Malformed)
    }
}

fn push_side(shape: &mut Vec<usize>, side: u64) -> Result<(), OnnxError> {
    if shape.len() == 8 {
        return Err(OnnxError::TooMuch);
    }
    shape.push(usize::try_from(side).ok().ok_or(OnnxError::Malformed)?);
    Ok(())
}

/// Little-endian `f32` values; `None` if the length is not a multiple of 4.
pub(crate) fn read_floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let (chunks, []) = bytes.as_chunks::<4>() else { return None };
    Some(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
}

fn bound(len: usize) -> Result<(), OnnxError> {
    if len < MAX_ITEMS { Ok(()) } else { Err(OnnxError::TooMuch) }
}

fn text(bytes: &[u8]) -> Result<String, OnnxError> {
    if bytes.len() > 256 {
        return Err(OnnxError::TooMuch);
    }
    std::str::from_utf8(bytes).map(str::to_owned).ok().ok_or(OnnxError::Malformed)
}

/// A field's value by wire type.
enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// Walks the fields of a message; ends after the first error.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), OnnxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = read_field(&mut self.0);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Value<'a>), OnnxError> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Value::Fixed64
        }
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, usize::try_from(length).ok().ok_or(OnnxError::Truncated)?)?)
        }
        5 => {
            let bytes = take(rest, 4)?;
            let mut array = [0; 4];
            array.copy_from_slice(bytes);
            Value::Fixed32(u32::from_le_bytes(array))
        }
        _ => return Err(OnnxError::Malformed),
    };
    Ok((key >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], OnnxError> {
    let (head, tail) = rest.split_at_checked(length).ok_or(OnnxError::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn varint(rest: &mut &[u8]) -> Result<u64, OnnxError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(OnnxError::Truncated)?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(OnnxError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model with one `Conv` node and one tensor `w` of shape 2 = [1, -2].
    fn tiny_model() -> Vec<u8> {
        let mut tensor = vec![0x0a, 1, 2, 0x10, 1, 0x42, 1, b'w', 0x4a, 8];
        tensor.extend(1.0_f32.to_le_bytes());
        tensor.extend((-2.0_f32).to_le_bytes());
        let mut attribute = vec![0x0a, 1, b'e', 0x15];
        attribute.extend(0.5_f32.to_le_bytes());
        let mut node = vec![0x0a, 1, b'w', 0x22, 4];
        node.extend(b"Conv");
        node.extend([0x2a, attribute.len() as u8]);
        node.extend(attribute);
        let mut graph = vec![0x0a, node.len() as u8];
        graph.extend(node);
        graph.extend([0x2a, tensor.len() as u8]);
        graph.extend(tensor);
        let mut model = vec![0x08, 4, 0x3a, graph.len() as u8];
        model.extend(graph);
        model
    }

    #[test]
    fn reads_nodes_attributes_and_tensors() {
        let graph = read_graph(&tiny_model()).unwrap();
        assert_eq!(graph.nodes.len(), 1);
        assert_eq!(graph.nodes[0].operator, "Conv");
        assert_eq!(graph.nodes[0].inputs, ["w"]);
        assert_eq!(graph.nodes[0].floats["e"], 0.5);
        assert_eq!(graph.tensors["w"].shape, [2]);
        assert_eq!(graph.tensors["w"].values, [1.0, -2.0]);
    }

    #[test]
    fn every_prefix_and_every_flipped_byte_is_survived() {
        let model = tiny_model();
        for end in 0..model.len() {
            // A cut at a field's border may still be a (smaller) model.
            if let Ok(graph) = read_graph(&model[..end]) {
                assert!(graph.tensors.is_empty(), "cut at {end}");
            }
        }
        for at in 0..model.len() {
            for bit in 0..8 {
                let mut broken = model.clone();
                broken[at] ^= 1 << bit;
                if let Ok(graph) = read_graph(&broken) {
                    assert!(graph.nodes.len() <= broken.len());
                }
            }
        }
    }

    #[test]
    fn huge_lengths_are_refused() {
        let model = [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(read_graph(&model).err(), Some(OnnxError::Truncated));
        let shape_lies = [0x3a, 9, 0x2a, 7, 0x0a, 1, 100, 0x10, 1, 0x42, 0];
        assert_eq!(read_graph(&shape_lies).err(), Some(OnnxError::Malformed));
    }
}
