//! Lists of redactions in parts: those of an hour with many people in it are
//! longer than a message may be.

use super::Task;
use fernseed_core::plan::{MAX_KEYFRAMES, MAX_REDACTIONS, Redaction};
use fernseed_sandbox::{Control, HostControl, MAX_PLAN_MESSAGE, SandboxError};
use serde::{Deserialize, Serialize};

/// Most keyframes in one part.
pub const PART_KEYFRAMES: usize = 10_000;

/// Most parts of one list.
pub const MAX_PARTS: usize = MAX_KEYFRAMES.div_ceil(PART_KEYFRAMES) + 1;

/// Some of a list of redactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RedactionPart {
    /// True if the first of them holds more keyframes of the last one before.
    pub goes_on: bool,
    /// The redactions.
    pub redactions: Vec<Redaction>,
}

impl RedactionPart {
    /// What must hold for every part.
    pub(super) fn check(&self) -> Result<(), String> {
        let keyframes: usize = self.redactions.iter().map(|r| r.keyframes.len()).sum();
        if keyframes > PART_KEYFRAMES {
            return Err(format!("{keyframes} keyframes in one message"));
        }
        self.redactions.iter().try_for_each(Redaction::check).map_err(|e| e.to_string())
    }
}

/// The parts of a list, in order; none if it is empty.
#[must_use]
pub fn split(redactions: &[Redaction]) -> Parts<'_> {
    Parts { rest: redactions, used: 0 }
}

/// The iterator of [`split`].
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    rest: &'a [Redaction],
    /// Keyframes of the first of the rest that have gone.
    used: usize,
}

impl Iterator for Parts<'_> {
    type Item = RedactionPart;

    fn next(&mut self) -> Option<RedactionPart> {
        let mut part = RedactionPart { goes_on: self.used > 0, redactions: Vec::new() };
        let mut room = PART_KEYFRAMES;
        while let [first, rest @ ..] = self.rest
            && room > 0
        {
            let all = first.keyframes.get(self.used..).unwrap_or_default();
            let taken = all.get(..room).unwrap_or(all);
            part.redactions.push(Redaction {
                keyframes: taken.to_vec(),
                label: first.label,
                evidence: first.evidence.clone(),
                ..*first
            });
            room -= taken.len();
            if taken.len() == all.len() {
                (self.rest, self.used) = (rest, 0);
            } else {
                self.used += taken.len();
            }
        }
        (!part.redactions.is_empty()).then_some(part)
    }
}

/// Puts a part behind those before it.
///
/// # Errors
/// Says what is wrong if the part goes on with nothing, with another redaction
/// or backwards in time, or the list gets longer than that of any real plan.
pub fn join(list: &mut Vec<Redaction>, part: RedactionPart) -> Result<(), String> {
    let mut redactions = part.redactions.into_iter();
    if part.goes_on {
        let (Some(last), Some(more)) = (list.last_mut(), redactions.next()) else {
            return Err("a part that goes on with nothing".to_owned());
        };
        let frames = (last.span().map(|s| s.1), more.span().map(|s| s.0));
        if last.id != more.id || frames.0 >= frames.1 {
            return Err("a part that does not fit what it goes on with".to_owned());
        }
        last.keyframes.extend(more.keyframes);
    }
    list.extend(redactions);
    if list.len() > MAX_REDACTIONS {
        return Err(format!("{} redactions", list.len()));
    }
    Ok(())
}

/// Sends a task, its plan's redactions in parts; nothing of it is kept, since
/// the plan of hours is large.
///
/// # Errors
/// As [`HostControl::send`].
pub fn send_task(control: &mut HostControl, mut task: Task) -> Result<(), SandboxError> {
    let redactions = task.plan_mut().map(|plan| std::mem::take(&mut plan.redactions));
    control.send(&task)?;
    if let Some(redactions) = redactions {
        split(&redactions).try_for_each(|part| control.send(&Some(part)))?;
        control.send(&None::<RedactionPart>)?;
    }
    Ok(())
}

/// Receives what [`send_task`] sent; `None` if the host is gone.
#[must_use]
pub fn receive_task(control: &mut Control) -> Option<Task> {
    let mut task = control.recv::<Task>(MAX_PLAN_MESSAGE).ok()?;
    if let Some(plan) = task.plan_mut() {
        while let Some(part) = control.recv::<Option<RedactionPart>>(MAX_PLAN_MESSAGE).ok()? {
            join(&mut plan.redactions, part).ok()?;
        }
    }
    Some(task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::Rect;
    use fernseed_core::detect::Label;
    use fernseed_core::plan::{Decision, Keyframe};

    fn redaction(id: u32, keyframes: u64) -> Redaction {
        let rect = Rect::new(0.0, 0.0, 9.0, 9.0);
        Redaction {
            id,
            subject: Some(id),
            label: Label::Face,
            decision: Decision::PROGRAM,
            evidence: None,
            keyframes: (0..keyframes).map(|frame| Keyframe { frame, rect }).collect(),
        }
    }

    #[test]
    fn parts_make_the_list_again() {
        let part = PART_KEYFRAMES as u64;
        for lengths in [
            &[][..],
            &[1],
            &[part],
            &[part, 1],
            &[part - 1, 2, 3],
            &[3 * part + 7],
            &[2, 2 * part, part - 2, 5],
        ] {
            let list: Vec<Redaction> =
                lengths.iter().zip(1..).map(|(&n, id)| redaction(id, n)).collect();
            let mut joined = Vec::new();
            let mut parts = 0;
            for part in split(&list) {
                part.check().unwrap();
                join(&mut joined, part).unwrap();
                parts += 1;
            }
            assert_eq!(joined, list);
            assert_eq!(parts as u64, lengths.iter().sum::<u64>().div_ceil(part), "full parts");
        }
    }

    #[test]
    fn a_hostile_part_is_refused() {
        let part = |goes_on, redactions| RedactionPart { goes_on, redactions };
        assert!(join(&mut Vec::new(), part(true, vec![redaction(1, 1)])).is_err());
        assert!(join(&mut vec![redaction(1, 1)], part(true, vec![])).is_err());
        let later = |id| {
            let mut all = redaction(id, 3);
            all.keyframes.drain(..2);
            part(true, vec![all])
        };
        assert!(join(&mut vec![redaction(1, 2)], later(1)).is_ok());
        assert!(join(&mut vec![redaction(1, 3)], later(1)).is_err(), "the same frame again");
        assert!(join(&mut vec![redaction(1, 2)], later(2)).is_err(), "somebody else");
        assert!(part(false, vec![redaction(1, 0)]).check().is_err());
        let long = vec![redaction(1, PART_KEYFRAMES as u64), redaction(2, 1)];
        assert!(part(false, long).check().is_err());
        let mut full = vec![redaction(1, 1); MAX_REDACTIONS];
        assert!(join(&mut full, part(false, vec![redaction(2, 1)])).is_err());
    }
}
