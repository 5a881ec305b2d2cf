//! Writers that are broken on purpose: a harness that lets one of them pass
//! is broken itself.

use std::fs::File;
use std::io::Write;

/// Does what one of the writers does, in the current folder: each file of
/// `in` goes to `out`, in pieces, as an encoder would write it.
pub(crate) fn main(args: &[String]) -> i32 {
    std::fs::create_dir_all("out").unwrap();
    let mut names: Vec<_> = std::fs::read_dir("in").unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names {
        let bytes = std::fs::read(&path).unwrap().repeat(9);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let output = format!("out/{name}");
        let written = match args.first().map(String::as_str) {
            Some("naive") => pieces(&mut File::create(output).unwrap(), &bytes),
            Some("careless") => {
                // Complete or nothing under the name, but errors are not told.
                let part = format!("out/.part-{name}");
                let whole = File::create(&part).is_ok_and(|mut f| pieces(&mut f, &bytes).is_ok());
                if whole {
                    File::open(&part).and_then(|f| f.sync_all()).ok();
                    std::fs::rename(&part, output).ok();
                } else {
                    std::fs::remove_file(&part).ok();
                }
                Ok(())
            }
            Some("unsynced") => {
                let part = format!("out/.part-{name}");
                let done = pieces(&mut File::create(&part).unwrap(), &bytes);
                done.and_then(|()| std::fs::rename(part, output))
            }
            other => panic!("no such writer: {other:?}"),
        };
        if written.is_err() {
            return 5;
        }
    }
    0
}

fn pieces(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    bytes.chunks(bytes.len().div_ceil(4)).try_for_each(|piece| file.write_all(piece))
}
