//! What the test workers do once they are sealed.

use fernseed_sandbox::{MAX_MESSAGE, WorkerContext, attack};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::Duration;

/// What the zygote prepares; workers see it without loading it.
pub(crate) const PREPARED: u64 = 0x5eed;

pub(crate) const NOOP: u8 = 0;
pub(crate) const ECHO: u8 = 1;
pub(crate) const ATTACK: u8 = 2;
pub(crate) const ONE_ATTACK: u8 = 3;
pub(crate) const SLEEP: u8 = 4;
pub(crate) const SPIN: u8 = 5;
pub(crate) const ALLOCATE: u8 = 6;
pub(crate) const FILL: u8 = 7;
pub(crate) const THREADS: u8 = 8;
pub(crate) const EXIT_EARLY: u8 = 9;
pub(crate) const GARBAGE: u8 = 10;
pub(crate) const OVERSIZED: u8 = 11;
pub(crate) const HALF: u8 = 12;
pub(crate) const DRIP: u8 = 13;
pub(crate) const PANIC: u8 = 14;
pub(crate) const COPY: u8 = 15;
pub(crate) const ABORT: u8 = 16;
pub(crate) const FLOOD_STDERR: u8 = 17;
pub(crate) const MUTE: u8 = 18;
pub(crate) const PREPARED_VALUE: u8 = 19;
pub(crate) const FOREIGN_ENTRY: u8 = 20;
pub(crate) const DESCRIPTORS: u8 = 21;
pub(crate) const WRITE_INPUT: u8 = 22;

pub(crate) fn run(prepared: &u64, mut worker: WorkerContext) -> i32 {
    match worker.role {
        NOOP => 0,
        ECHO => {
            let text: String = worker.control.recv(MAX_MESSAGE).unwrap();
            worker.control.send(&text).unwrap();
            0
        }
        ATTACK => {
            worker.control.send(&attack::run_all()).unwrap();
            0
        }
        ONE_ATTACK => {
            let index: usize = worker.control.recv(MAX_MESSAGE).unwrap();
            worker.control.send(&attack::all()[index].run()).unwrap();
            0
        }
        SLEEP => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        SPIN => {
            let mut n = 0_u64;
            loop {
                n = std::hint::black_box(n.wrapping_add(1));
            }
        }
        ALLOCATE => {
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            loop {
                let mut block = Vec::new();
                if block.try_reserve_exact(16 << 20).is_err() {
                    worker.control.send(&(blocks.len() * 16)).unwrap();
                    return 0;
                }
                block.resize(16 << 20, 1);
                blocks.push(block);
            }
        }
        FILL => {
            let block = vec![0; 1 << 20];
            let mut written = 0;
            loop {
                match worker.files[1].write(&block) {
                    Ok(length) => written += length,
                    Err(error) => {
                        worker.control.send(&(written, error.raw_os_error())).unwrap();
                        return 0;
                    }
                }
            }
        }
        THREADS => {
            let free: Vec<_> = (0..4_u64)
                .map(|n| {
                    std::thread::Builder::new()
                        .name(format!("worker-{n}"))
                        .spawn(move || vec![n; 1 << 16].iter().sum::<u64>())
                        .unwrap()
                })
                .collect();
            let mut sum: u64 = free.into_iter().map(|thread| thread.join().unwrap()).sum();
            let numbers: Vec<u64> = (0..1000).collect();
            std::thread::scope(|scope| {
                let halves: Vec<_> = numbers
                    .chunks(500)
                    .map(|half| scope.spawn(move || half.iter().sum::<u64>()))
                    .collect();
                sum += halves.into_iter().map(|half| half.join().unwrap()).sum::<u64>();
            });
            let parallel = std::thread::available_parallelism().map_or(0, usize::from);
            worker.control.send(&(sum, parallel)).unwrap();
            0
        }
        EXIT_EARLY => 7,
        GARBAGE => {
            worker.control.send_raw(b"\x05\0\0\0{]\x1b[2").unwrap();
            std::thread::sleep(Duration::from_secs(60));
            0
        }
        OVERSIZED => {
            worker.control.send_raw(&u32::MAX.to_le_bytes()).unwrap();
            std::thread::sleep(Duration::from_secs(60));
            0
        }
        HALF => {
            worker.control.send_raw(b"\x64\0\0\0\"half").unwrap();
            0
        }
        DRIP => {
            worker.control.send_raw(b"\xff\0\0\0").unwrap();
            for _ in 0..255 {
                worker.control.send_raw(b" ").unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
            0
        }
        PANIC => panic!("a worker \x1b[31mpanics"),
        COPY => {
            let length = worker.files[0].seek(SeekFrom::End(0)).unwrap();
            worker.files[0].rewind().unwrap();
            let mut bytes = Vec::new();
            worker.files[0].read_to_end(&mut bytes).unwrap();
            worker.files[1].write_all(&bytes).unwrap();
            worker.files[1].set_len(length + 1).unwrap();
            // std tries copy_file_range, sendfile and splice here.
            worker.files[0].rewind().unwrap();
            let (input, output) = worker.files.split_at_mut(1);
            let copied = std::io::copy(&mut input[0], &mut output[0]).unwrap();
            worker.control.send(&(length, copied)).unwrap();
            0
        }
        ABORT => std::process::abort(),
        FLOOD_STDERR => {
            for _ in 0..4096 {
                eprintln!("\x1b]0;title\x07{}", "x".repeat(1000));
            }
            worker.control.send(&()).unwrap();
            0
        }
        MUTE => {
            // Gives up the control socket and stays.
            drop(worker.control);
            std::thread::sleep(Duration::from_secs(60));
            0
        }
        PREPARED_VALUE => {
            worker.control.send(prepared).unwrap();
            0
        }
        #[cfg(target_arch = "x86_64")]
        FOREIGN_ENTRY => {
            foreign_getpid();
            worker.control.send(&()).unwrap();
            0
        }
        DESCRIPTORS => {
            worker.control.send(&open_descriptors()).unwrap();
            0
        }
        WRITE_INPUT => {
            let error = worker.files[0].write(b"x").unwrap_err();
            worker.control.send(&error.raw_os_error()).unwrap();
            0
        }
        _ => 64,
    }
}

/// `getpid` through the 32-bit entry of an x86-64 kernel.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "an entry to the kernel that only assembly reaches")]
fn foreign_getpid() {
    // SAFETY: number 20 is getpid in the 32-bit table; only eax is written.
    unsafe {
        std::arch::asm!("int 0x80", inout("eax") 20 => _, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
}

/// Which of the numbers 0 to 63 `lseek` or `read` know.
#[allow(unsafe_code, reason = "asks about descriptors nobody owns")]
fn open_descriptors() -> Vec<i32> {
    let open = |fd: &i32| {
        // SAFETY: moves no offset; the number may well be closed.
        let result = unsafe { libc::lseek(*fd, 0, libc::SEEK_CUR) };
        result >= 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EBADF)
    };
    (0..64).filter(open).collect()
}

/// An input with some bytes in it, read-only, and an empty output, both
/// without a name.
pub(crate) fn files() -> (File, File) {
    use rustix::fs::{MemfdFlags, Mode, OFlags};
    let path = |fd: &std::os::fd::OwnedFd| {
        use std::os::fd::AsRawFd as _;
        format!("/proc/self/fd/{}", fd.as_raw_fd())
    };
    let memory = rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC).unwrap();
    rustix::io::write(&memory, &[7; 5000]).unwrap();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let input = rustix::fs::open(path(&memory), flags, Mode::empty()).unwrap();
    let output = rustix::fs::memfd_create("output", MemfdFlags::CLOEXEC).unwrap();
    (input.into(), output.into())
}
