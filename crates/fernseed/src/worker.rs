//! The worker side: what runs inside the sealed process.
//!
//! A worker has its files, the control socket and nothing else. It reads one
//! task, does it, and ends. It may be taken over by the file it reads; the
//! host believes nothing it says.

mod animation;
mod audit;
mod cadence;
mod check;
mod earlier;
mod foreign;
mod inspect;
mod lookout;
mod outbox;
mod probe;
mod reencode;
mod residual;
mod still;
mod strip;
mod video;

use crate::protocol::{Event, Failure, FailureKind, Role, Task, receive_task};
use earlier::Earlier;
use fernseed_detect::FaceFinder;
use fernseed_sandbox::WorkerContext;
use outbox::Outbox;
use std::fs::File;

/// What every worker shares, made once in the fork server before any file is
/// opened and inherited copy-on-write.
pub struct Prepared {
    /// `None` where no worker decodes anything.
    finder: Option<FaceFinder>,
}

impl Prepared {
    /// Unpacks the weights.
    ///
    /// # Errors
    /// A sentence about what is wrong with the weights.
    pub fn new() -> Result<Self, String> {
        let config = fernseed_detect::FinderConfig::default();
        let finder = FaceFinder::new(config).map_err(|e| e.to_string())?;
        Ok(Self { finder: Some(finder) })
    }

    /// For roles that run no decoder ([`Role::decodes`]): no weights, and the
    /// codecs are taken out of the memory of this process and its workers.
    ///
    /// # Errors
    /// A sentence about what the system refused.
    pub fn for_reading() -> Result<Self, String> {
        // Asked once here, not by every worker: under a hypervisor each
        // question is a trap.
        #[cfg(target_arch = "x86_64")]
        std::hint::black_box(std::is_x86_feature_detected!("avx2"));
        match fernseed_sandbox::leave_libraries_out_of_workers() {
            Ok(_count) => Ok(Self { finder: None }),
            Err(error) => Err(format!("cannot leave libraries out of workers: {error}")),
        }
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

/// Does one task and returns the process's exit code.
pub fn run(prepared: &Prepared, context: WorkerContext) -> i32 {
    let WorkerContext { role, files, mut control, .. } = context;
    let Some(task) = receive_task(&mut control) else { return 1 };
    let outbox = Outbox::new(control);
    let end = match perform(prepared, role, files, task, &outbox) {
        Ok(()) => Event::Done,
        Err(failure) => Event::Failed(failure),
    };
    i32::from(outbox.send(end).is_err())
}

fn perform(
    prepared: &Prepared,
    role: u8,
    files: Vec<File>,
    task: Task,
    outbox: &Outbox,
) -> Result<(), Failure> {
    let mut files = files.into_iter();
    let mut file = |what: &str| {
        files.next().ok_or_else(|| {
            Failure::new(FailureKind::Internal, format!("the worker was not given {what}"))
        })
    };
    let role = Role::from_u8(role);
    let finder = match (&prepared.finder, role) {
        (Some(finder), _) => finder,
        (None, Some(role)) if !role.decodes() => return read(role, &mut file, task, outbox),
        (None, _) => return Err(unfit()),
    };
    match (role, task) {
        (Some(Role::Redact), Task::Redact { policy, output }) => {
            let work = probe::Work { finder, policy: &policy, output: &output, outbox };
            let (input, out) = (file("its input")?, file("its output")?);
            probe::redact(&work, input, out)
        }
        (Some(Role::Scan), Task::Scan { policy, output }) => {
            let work = probe::Work { finder, policy: &policy, output: &output, outbox };
            probe::scan(&work, file("its input")?)
        }
        (Some(Role::Apply), Task::Apply { plan, output, repair }) => {
            plan.check().map_err(|e| Failure::new(FailureKind::Plan, e.to_string()))?;
            let policy = plan.policy.clone();
            let work = probe::Work { finder, policy: &policy, output: &output, outbox };
            let (input, out) = (file("its input")?, file("its output")?);
            let earlier = match repair {
                None => None,
                Some(changed) => Some(Earlier { file: file("the output before")?, changed }),
            };
            probe::apply(&work, &plan, input, out, earlier)
        }
        (Some(Role::Audit), Task::Audit { plan, with_original, threshold, threads, mended }) => {
            let finished = file("the finished file")?;
            let original = with_original.then(|| file("the original")).transpose()?;
            let earlier = match mended {
                None => None,
                Some(changed) => Some(Earlier { file: file("the output before")?, changed }),
            };
            let job = audit::Audit { finder, plan: plan.as_ref(), threshold, threads, outbox };
            audit::run(&job, audit::Files { finished, original, earlier })
        }
        (Some(Role::Reencode), Task::Reencode { output }) => {
            let policy = reencode::nothing_hidden();
            let work = probe::Work { finder, policy: &policy, output: &output, outbox };
            let (input, out) = (file("its input")?, file("its output")?);
            reencode::run(&work, input, out)
        }
        (Some(role), task) => read(role, &mut file, task, outbox),
        (None, _) => Err(unfit()),
    }
}

/// The roles that run no decoder.
fn read(
    role: Role,
    file: &mut dyn FnMut(&str) -> Result<File, Failure>,
    task: Task,
    outbox: &Outbox,
) -> Result<(), Failure> {
    match (role, task) {
        (Role::Inspect, Task::Inspect) => inspect::run(file("its input")?, outbox),
        (Role::Facts, Task::Facts) => inspect::facts(file("its input")?, outbox),
        (Role::Strip, Task::Strip { options }) => {
            strip::run(file("its input")?, file("its output")?, &options, outbox)
        }
        (Role::Check, Task::Check { with_original }) => {
            let finished = file("the finished file")?;
            let original = with_original.then(|| file("the original")).transpose()?;
            check::run(finished, original, outbox)
        }
        (Role::Attack, Task::Attack) => {
            let results = fernseed_sandbox::attack::run_all();
            outbox.send(Event::Attack(results)).map_err(outbox::gone)
        }
        _ => Err(unfit()),
    }
}

fn unfit() -> Failure {
    Failure::new(FailureKind::Internal, "the task does not fit the worker's role")
}
