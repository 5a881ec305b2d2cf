//! Strips and accounts for files: one line for each, a summary at the end.
//! `strip_files OUTPUT_FOLDER FILE...`; exits with 1 if an output is not
//! clean, not idempotent, or something took longer than two seconds.

#![allow(clippy::print_stdout, clippy::exit)]

use fernseed_scrub::{StripOptions, account, strip};
use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() -> std::io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let folder = args.next().unwrap_or_default();
    let (mut fine, mut refused, mut bad) = (0u32, 0u32, 0u32);
    let (mut bytes, mut spent) = (0u64, Duration::ZERO);
    for path in args {
        let path = Path::new(&path);
        let data = std::fs::read(path)?;
        let mut out = Cursor::new(Vec::new());
        let start = Instant::now();
        let options = StripOptions::default();
        let result = strip(&mut Cursor::new(&data), data.len() as u64, &mut out, &options);
        let took = start.elapsed();
        spent += took;
        let slow = if took > Duration::from_secs(2) { " SLOW" } else { "" };
        match result {
            Err(error) => {
                refused += 1;
                println!("refused{slow} {}: {error}", path.display());
            }
            Ok(done) => {
                fine += 1;
                bytes += data.len() as u64;
                let out = out.into_inner();
                let report = account(&mut Cursor::new(&out), out.len() as u64);
                let mut again = Cursor::new(Vec::new());
                let second = strip(&mut Cursor::new(&out), out.len() as u64, &mut again, &options);
                let stable = second.is_ok() && again.get_ref() == &out;
                let clean = report.is_clean();
                bad += u32::from(!clean || !stable || !slow.is_empty());
                println!(
                    "stripped{slow}{}{} {} -> {} bytes, {:.1} ms {}",
                    if clean { "" } else { " NOT CLEAN" },
                    if stable { "" } else { " NOT STABLE" },
                    data.len(),
                    out.len(),
                    took.as_secs_f64() * 1e3,
                    path.display(),
                );
                for finding in report.findings.iter().take(3) {
                    println!("    {} {:?}", finding.message, finding.place);
                }
                let name = path.to_string_lossy().replace('/', "_");
                let target = Path::new(&folder).join(format!("{name}.{}", done.extension));
                std::fs::write(target, &out)?;
            }
        }
    }
    println!(
        "{fine} stripped, {refused} refused, {bad} bad; {:.1} files/s, {:.1} MB/s",
        f64::from(fine + refused) / spent.as_secs_f64(),
        bytes as f64 / 1e6 / spent.as_secs_f64(),
    );
    std::process::exit(i32::from(bad > 0));
}
