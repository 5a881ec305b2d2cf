"""The results as Markdown."""

CLASSES = ["12 to 24", "24 to 48", "48 and more"]


def share(pair):
    return f"{100 * pair[0] / pair[1]:.2f} % of {pair[1]}" if pair[1] else "-"


def exposure_table(tools):
    rows = [("clips without an exposed frame", lambda s: f"{s['clean_clips']} of {s['clips']}"),
            ("exposed frames", lambda s: f"{s['exposed_frames']} of {s['frames']}"),
            ("face-frames open", lambda s: f"{s['counted'][1] - s['counted'][0]} of {s['counted'][1]}"),
            ("people exposed at least once", lambda s: f"{s['people_exposed']} of {s['people']}"),
            ("people never found", lambda s: s["never_found"])]
    rows += [(f"recall {name} px", lambda s, i=i: share(s["recall"][i])) for i, name in enumerate(CLASSES)]
    rows += [("hidden over true area, median", lambda s: f"{s['median_area']:.2f}")]
    lines = ["| |" + "".join(f" {t} |" for t in tools), "|---|" + "---|" * len(tools)]
    return lines + [f"| {name} |" + "".join(f" {value(s)} |" for s in tools.values()) for name, value in rows]


def exposure_lines(found):
    what = "Panned photographs" if found["kind"] == "panned" else "Composite set"
    what = "Real clips" if found["half"] == "real" else f"{what}, half `{found['half']}`"
    lines = ["", f"{what}, pixels of finished files, {found['clips']} clips:", "", *exposure_table(found["all"])]
    held = ", ".join(f"{name} (exit code {code})" for name, code in found["held_by_the_audit"].items())
    lines += ["", f"Not published: {held or 'none'}."]
    if "beside_deface" in found:
        lines += ["", "The clips that deface has done as well (its masks filled, see bench/deface_filled.py):", "",
                  *exposure_table(found["beside_deface"])]
    return lines


def speed_lines(timed):
    lines = ["| clip | frames | fernseed s (processor) | ffmpeg s (processor) | deface s | times ffmpeg (processor) "
             "| times as fast as deface |", "|---|---|---|---|---|---|---|"]
    for one in timed:
        t = one["median"]
        ours, plain, theirs = t["fernseed"], t["ffmpeg"], t.get("deface")
        lines += [f"| {one['clip']} | {one['frames']} | {ours['wall']:.2f} ({ours['processor']:.2f}) "
                  f"| {plain['wall']:.2f} ({plain['processor']:.2f}) | {format(theirs['wall'], '.2f') if theirs else '-'} "
                  f"| {ours['wall'] / plain['wall']:.2f} ({ours['processor'] / plain['processor']:.2f}) "
                  f"| {format(theirs['wall'] / ours['wall'], '.1f') if theirs else '-'} |"]
    return lines


def markdown(result):
    lines = speed_lines(result["speed"])
    if result["peak_memory_bytes_by_clip_seconds"]:
        peaks = ", ".join(f"{b / 1e6:.0f} MB at {s} s" for s, b in result["peak_memory_bytes_by_clip_seconds"].items())
        lines += ["", f"Peak memory of all processes: {peaks}."]
    for found in result["exposure"]:
        lines += exposure_lines(found)
    versions = ", ".join(f"{k}: {v}" for k, v in result["versions"].items() if v)
    machine = ", ".join(f"{k} {v}" for k, v in result["machine"].items())
    return "\n".join([*lines, "", f"Versions: {versions}. Machine: {machine}.", ""])
