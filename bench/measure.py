"""Wall time, processor time and memory of whole processes."""
import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time


# Our exit codes where something was written: 1 says that somebody should look at it.
OURS = (0, 1)


def tree(pid):
    """The process and everything it started."""
    found = [pid]
    for entry in found:
        for task in pathlib.Path(f"/proc/{entry}/task").glob("*/children"):
            try:
                found += [int(c) for c in task.read_text().split()]
            except OSError:
                pass
    return found


def memory(pid):
    """Proportional set size of a process tree in bytes."""
    total = 0
    for one in tree(pid):
        try:
            for line in open(f"/proc/{one}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def run(command, measure_memory=False, good=(0,)):
    """Wall seconds, processor seconds (children that have ended included) and peak memory of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = [0]
    done = threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], memory(process.pid))

    watcher = threading.Thread(target=watch)
    if measure_memory:
        watcher.start()
    _, stderr = process.communicate()
    wall = time.monotonic() - start
    done.set()
    if measure_memory:
        watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in good:
        sys.exit(f"{command[0]} failed ({process.returncode}): {stderr.decode(errors='replace')[-500:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "processor": processor, "memory": peak[0], "code": process.returncode}


def time_alternately(args, clip, out, rounds):
    """{tool: {"wall": [seconds], "processor": [seconds]}} on one clip, the tools in turn."""
    ours = out / "ours"
    # What x264 has on a processor with AVX2 and nothing newer.
    x264 = ["-x264-params", "asm=SSE2Fast,SSE4.2,LZCNT,AVX,FMA3,BMI2,AVX2"] if args.no_avx512 else []
    commands = {
        "fernseed": [args.fernseed, "redact", clip, "-o", ours / "o.mp4", "--quality", args.quality],
        "ffmpeg": ["ffmpeg", "-v", "error", "-y", "-i", clip, "-an", "-c:v", "libx264", "-preset", args.preset,
                   "-crf", args.crf, *x264, out / "plain.mp4"],
    }
    if args.deface and not args.no_deface_timing:
        commands["deface"] = [args.deface, clip, "-o", out / "deface.mp4", "--backend", "onnxrt"]
    times = {name: {"wall": [], "processor": []} for name in commands}
    for round_ in range(rounds):
        for name, command in commands.items():
            if name == "deface" and round_ > 0:
                continue  # it takes minutes; once is enough for a ratio of this size
            shutil.rmtree(ours, ignore_errors=True)
            once = run(command, good=OURS if name == "fernseed" else (0,))
            for what in ("wall", "processor"):
                times[name][what].append(once[what])
            print(f"{clip.name}, round {round_ + 1}: {name} {once['wall']:.2f} s, processor {once['processor']:.2f} s",
                  file=sys.stderr)
    return times


def version(command):
    try:
        return subprocess.run([str(c) for c in command], capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return None


def machine():
    """The processor, its instruction set as far as fernseed's kernels care, and the kernel."""
    info = open("/proc/cpuinfo").read()
    flags = set(next((l.split(":")[1].split() for l in info.splitlines() if l.startswith(("flags", "Features"))), []))
    if {"avx512f", "avx512bw", "avx512vl"} <= flags:
        instructions = "AVX-512" + (" with VNNI" if "avx512_vnni" in flags else "")
    else:
        instructions = "AVX2" if {"avx2", "fma"} <= flags else "portable"
    model = next((l.split(":")[1].strip() for l in info.splitlines() if l.startswith("model name")), platform.machine())
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "instructions": instructions,
            "kernel": platform.release()}
