//! The policy written a second time, as stacked lists that the `seccompiler`
//! crate compiles, and compared with our tree: two compilers and two ways of
//! writing the same policy down must come to the same verdicts.

use super::tests::{ARCH, PID, verdict};
use super::*;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

type Lists = BTreeMap<i64, Vec<SeccompRule>>;

fn one_of(conditions: &[(u8, SeccompCmpOp, i32)]) -> Vec<SeccompRule> {
    let rule = |(argument, op, value): &(u8, SeccompCmpOp, i32)| {
        let value = u64::from(value.cast_unsigned());
        let dword = SeccompCmpArgLen::Dword;
        let condition = SeccompCondition::new(*argument, dword, op.clone(), value).unwrap();
        SeccompRule::new(vec![condition]).unwrap()
    };
    conditions.iter().map(rule).collect()
}

fn lists(writable: &[i32]) -> Lists {
    let soft = [SOFT_ENOSYS, SOFT_EACCES, SOFT_ENOTTY].into_iter().flatten().copied();
    let mut lists: Lists =
        soft.chain(ALLOWED.iter().map(|(_, call)| *call)).map(|call| (call, vec![])).collect();
    let masked = |mask: i32| SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
    let no_exec = one_of(&[(2, masked(libc::PROT_EXEC), 0)]);
    lists.insert(libc::SYS_mmap, no_exec.clone());
    lists.insert(libc::SYS_mprotect, no_exec);
    lists.insert(libc::SYS_clone, one_of(&[(0, masked(THREAD | NAMESPACES), THREAD)]));
    lists.insert(libc::SYS_prctl, one_of(&[(0, SeccompCmpOp::Eq, libc::PR_SET_NAME)]));
    lists.insert(libc::SYS_fcntl, one_of(&[(1, SeccompCmpOp::Eq, libc::F_GETFD)]));
    lists.insert(libc::SYS_tgkill, one_of(&[(0, SeccompCmpOp::Eq, PID)]));
    let files: Vec<_> = writable.iter().map(|fd| (0, SeccompCmpOp::Eq, *fd)).collect();
    if !files.is_empty() {
        lists.insert(libc::SYS_ftruncate, one_of(&files));
    }
    lists
}

fn program(lists: Lists, mismatch: SeccompAction, matching: SeccompAction) -> BpfProgram {
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    SeccompFilter::new(lists, mismatch, matching, arch).unwrap().try_into().unwrap()
}

/// Refusing filters, oldest first, and the killing one.
fn stacked(writable: &[i32], deny: DenyMode) -> Vec<BpfProgram> {
    let refuse = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let mut out = Vec::new();
    for (calls, number) in
        [(SOFT_ENOSYS, libc::ENOSYS), (SOFT_EACCES, libc::EACCES), (SOFT_ENOTTY, libc::ENOTTY)]
    {
        let soft = calls.iter().map(|call| (*call, vec![])).collect();
        out.push(program(soft, SeccompAction::Allow, refuse(number)));
    }
    let mut first = lists(writable);
    if deny == DenyMode::Kill {
        first.insert(libc::SYS_seccomp, vec![]);
        let no_new_privs = one_of(&[(0, SeccompCmpOp::Eq, libc::PR_SET_NO_NEW_PRIVS)]);
        first.entry(libc::SYS_prctl).or_default().extend(no_new_privs);
    }
    out.push(program(first, refuse(libc::EPERM), SeccompAction::Allow));
    if deny == DenyMode::Kill {
        let kill = SeccompAction::KillProcess;
        out.push(program(lists(writable), kill, SeccompAction::Allow));
    }
    out
}

#[test]
fn the_tree_decides_as_the_lists_do() {
    let mut values: Vec<u64> = vec![u64::MAX, 0xffff_ffff, 1 << 32, 1 << 63];
    let words = [libc::PR_SET_NO_NEW_PRIVS, PID, PID - 1, libc::SIGCHLD, THREAD, NAMESPACES];
    let bits = (0..32).map(|bit| 1u32 << bit).chain(0..20);
    let thread = bits.clone().map(|bit| THREAD.cast_unsigned() ^ bit);
    let low: Vec<u32> = bits.clone().chain(thread).chain(words.map(i32::cast_unsigned)).collect();
    values.extend(low.iter().flat_map(|&v| [u64::from(v), u64::from(v) | 5 << 32]));
    let others = [0, 0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7, ARCH ^ 1, u32::MAX];
    let mut allowed = 0;
    for (writable, deny) in
        [(&[4][..], DenyMode::Errno), (&[4, 5], DenyMode::Kill), (&[], DenyMode::Kill)]
    {
        let old = stacked(writable, deny);
        let old: Vec<_> = old.iter().collect();
        let filters = compile(PID, writable, deny).unwrap();
        let new: Vec<_> = std::iter::once(&filters.errno).chain(&filters.kill).collect();
        for call in (0..1025).chain(0x4000_0000..0x4000_0010).chain([-1, i64::from(i32::MIN)]) {
            for &value in &values {
                let want = verdict(&old, ARCH, call, [value; 6]);
                let got = verdict(&new, ARCH, call, [value; 6]);
                assert_eq!(got, want, "{deny:?} {writable:?} call {call} argument {value:#x}");
                allowed += usize::from(got == libc::SECCOMP_RET_ALLOW);
            }
            for arch in others {
                let want = verdict(&old, arch, call, [0; 6]);
                assert_eq!(verdict(&new, arch, call, [0; 6]), want, "{arch:#x} call {call}");
            }
        }
        // One argument at a time, so that each condition looks at its own.
        for (call, _) in lists(writable).iter().filter(|(_, checks)| !checks.is_empty()) {
            for argument in 0..6 {
                for &value in &values {
                    let mut arguments = [u64::from(THREAD.cast_unsigned()); 6];
                    arguments[argument] = value;
                    let want = verdict(&old, ARCH, *call, arguments);
                    let got = verdict(&new, ARCH, *call, arguments);
                    assert_eq!(got, want, "{deny:?} call {call} {arguments:x?}");
                }
            }
        }
    }
    assert!(allowed > 10_000, "{allowed}");
}
