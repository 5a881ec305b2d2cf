//! Filter programs for the kernel's classic BPF machine.
//!
//! The system call is found by halving, in some seven comparisons. When a
//! filter is installed, the kernel runs it for every number there is to learn
//! which calls need no filter; a list that is compared one by one makes that
//! the dearest part of sealing a worker, and each program that is compiled
//! costs as much again. So there is one program, and it is a tree.

use seccompiler::{BpfProgram, sock_filter};
use std::collections::BTreeMap;

// Instructions (linux/bpf_common.h) and places in `struct seccomp_data`.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What this machine's system calls are marked with (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xC000_00B7;

/// A condition on the low half of one argument, which is all that the kernel
/// looks at in those that are checked: `argument & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) value: u32,
}

/// What becomes of one system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// This verdict (`SECCOMP_RET_…`).
    Always(u32),
    /// Allowed if one of the conditions holds, refused otherwise.
    If(Vec<Check>),
}

/// The program that follows `rules` by number of the call and gives all other
/// calls the verdict `refuse`. Calls of another architecture kill.
///
/// # Errors
/// If the rules are too many for the machine's short jumps.
pub(super) fn assemble(rules: &BTreeMap<u32, Rule>, refuse: u32) -> Result<BpfProgram, String> {
    let mut out = vec![
        statement(LOAD, ARCHITECTURE),
        jump(JUMP_EQUAL, OURS, 1, 0),
        statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        statement(LOAD, NUMBER),
    ];
    tree(&ranges(rules, refuse), refuse, &mut out)?;
    Ok(out)
}

/// All numbers as ranges of one rule: first number and rule, rising from 0.
fn ranges(rules: &BTreeMap<u32, Rule>, refuse: u32) -> Vec<(u32, Rule)> {
    let mut out: Vec<(u32, Rule)> = Vec::new();
    let mut add = |first: u32, rule: Rule| match out.last() {
        Some((_, last)) if *last == rule && matches!(rule, Rule::Always(_)) => {}
        _ => out.push((first, rule)),
    };
    let mut next = 0;
    for (&number, rule) in rules {
        if number > next {
            add(next, Rule::Always(refuse));
        }
        add(number, rule.clone());
        next = number.saturating_add(1);
    }
    add(next, Rule::Always(refuse));
    out
}

/// Decides between ranges; the number stands in the accumulator.
fn tree(ranges: &[(u32, Rule)], refuse: u32, out: &mut BpfProgram) -> Result<(), String> {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some((first, rule)) = high.first() else { return Ok(()) };
    if low.is_empty() {
        return leaf(rule, refuse, out);
    }
    let branch = out.len();
    out.push(jump(JUMP_AT_LEAST, *first, 0, 0));
    tree(low, refuse, out)?;
    let far = u8::try_from(out.len() - branch - 1).map_err(|e| e.to_string())?;
    if let Some(instruction) = out.get_mut(branch) {
        instruction.jt = far;
    }
    tree(high, refuse, out)
}

fn leaf(rule: &Rule, refuse: u32, out: &mut BpfProgram) -> Result<(), String> {
    match rule {
        Rule::Always(verdict) => out.push(statement(RETURN, *verdict)),
        Rule::If(checks) => {
            for check in checks {
                if check.argument > 5 {
                    return Err("a system call has six arguments".to_owned());
                }
                // Little-endian: the low half comes first.
                out.push(statement(LOAD, ARGUMENTS + 8 * u32::from(check.argument)));
                if check.mask != u32::MAX {
                    out.push(statement(AND, check.mask));
                }
                out.push(jump(JUMP_EQUAL, check.value, 0, 1));
                out.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
            }
            out.push(statement(RETURN, refuse));
        }
    }
    Ok(())
}

const fn statement(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_numbers_and_join_equal_neighbours() {
        let allow = Rule::Always(1);
        let some = Rule::If(vec![Check { argument: 0, mask: u32::MAX, value: 7 }]);
        let rules = BTreeMap::from([
            (0, allow.clone()),
            (1, allow.clone()),
            (2, some.clone()),
            (3, some.clone()),
            (9, allow.clone()),
        ]);
        let no = Rule::Always(0);
        let want = vec![
            (0, allow.clone()),
            (2, some.clone()),
            (3, some),
            (4, no.clone()),
            (9, allow),
            (10, no.clone()),
        ];
        assert_eq!(ranges(&rules, 0), want);
        assert_eq!(ranges(&BTreeMap::new(), 0), vec![(0, no)]);
    }

    #[test]
    fn a_jump_too_far_is_an_error() {
        let spread = |n: u32| (0..n).map(|i| (2 * i, Rule::Always(1))).collect::<BTreeMap<_, _>>();
        assert!(assemble(&spread(60), 0).is_ok());
        assert!(assemble(&spread(600), 0).is_err());
        let rules =
            BTreeMap::from([(3, Rule::If(vec![Check { argument: 6, mask: u32::MAX, value: 0 }]))]);
        assert!(assemble(&rules, 0).is_err());
    }
}
