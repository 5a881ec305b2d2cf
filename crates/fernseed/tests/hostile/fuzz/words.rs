//! Broken JSON: as bytes, and as values that are well formed and wrong.

use crate::mutate::{Random, mutate_bytes};
use serde_json::{Value, json};

/// A broken version of one of some values, as text.
pub(super) fn mutant(seeds: &[Value], random: &mut Random) -> Vec<u8> {
    let mut value = seeds[random.below(seeds.len())].clone();
    if random.below(4) == 0 {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        mutate_bytes(&mut bytes, random);
        return bytes;
    }
    for _ in 0..=random.below(4) {
        let donor = part(&seeds[random.below(seeds.len())], random).clone();
        change(&mut value, donor, random);
    }
    let mut text = value.to_string();
    // Numbers that JSON has and its readers like less.
    if random.below(4) == 0 {
        let digits: Vec<_> = text.match_indices(|c: char| c.is_ascii_digit()).collect();
        if let Some((at, _)) = digits.get(random.below(digits.len())) {
            let odd = ["1e39", "-1e308", "1e999", "-0", "1e-400", "18446744073709551616", "NaN"];
            text.replace_range(*at..at + 1, odd[random.below(odd.len())]);
        }
    }
    if random.below(200) == 0 {
        text = format!("{}{text}{}", "[".repeat(5000), "]".repeat(5000));
    }
    text.into_bytes()
}

/// Some value within a value.
fn part<'a>(value: &'a Value, random: &mut Random) -> &'a Value {
    let inner: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    };
    if inner.is_empty() || random.below(4) == 0 {
        return value;
    }
    part(inner[random.below(inner.len())], random)
}

/// Changes some value within a value.
fn change(value: &mut Value, donor: Value, random: &mut Random) {
    let inner = match value {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    if inner > 0 && random.below(6) != 0 {
        let at = random.below(inner);
        match (&mut *value, random.below(12)) {
            (Value::Array(list), 0) => drop(list.remove(at)),
            (Value::Array(list), 1) => list.push(list[at].clone()),
            (Value::Array(list), 2) => list.swap(0, at),
            (Value::Object(map), 0) => {
                let key = map.keys().nth(at).cloned().unwrap();
                map.remove(&key);
            }
            (Value::Object(map), 1) => drop(map.insert("another".to_owned(), donor)),
            (Value::Array(list), _) => change(&mut list[at], donor, random),
            (Value::Object(map), _) => change(map.values_mut().nth(at).unwrap(), donor, random),
            _ => {}
        }
        return;
    }
    *value = match (value.as_f64(), random.below(10)) {
        (Some(number), 0..4) => {
            let near = [number + 1.0, number - 1.0, -number, number * 0.5, number * 1e30];
            let near = near[random.below(near.len())];
            if near.fract() == 0.0 && near.abs() < 9e15 { json!(near as i64) } else { json!(near) }
        }
        (_, 4) => Value::Null,
        (_, 5) => json!(u64::MAX),
        (_, 6) => json!(i64::MIN),
        (_, 7) => json!("\u{1b}[31m\u{202e}\u{0}".repeat(random.below(400))),
        (_, 8) => json!(random.next() as f64 / 7.0),
        _ => donor,
    };
}
