#!/usr/bin/python3
"""Measures leash and its peers in one run, against one origin, and prints one table.

Each metric is measured for all peers in turn, and that again, so that what the machine does meanwhile touches all
alike. The figure is the median. CPU time is that of the whole process tree, user and system. As root, since each
program gets a resolver of its own in a mount namespace.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import peers  # noqa: E402
from rig.metrics import METRICS, QUICK, measure_h2  # noqa: E402
from rig.origin import Origin  # noqa: E402
from rig.places import BUILD  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five metrics, one second each, once, without mitmproxy")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement (3)")
    parser.add_argument("--repeat", type=int, default=3, help="how often (3)")
    parser.add_argument("--mint", type=int, default=3000, help="names never seen, each time (3000)")
    parser.add_argument("--idle", type=int, default=2000, help="idle tunnels (2000)")
    parser.add_argument("--metrics", default="", help=f"of {','.join(m.key for m in METRICS)},h2,scale")
    parser.add_argument("--peers", default="", help=f"of {', '.join(p.name for p in peers.FORWARD)}")
    parser.add_argument("--out", default=str(BUILD / "bench-results.json"), help="where the raw results go")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.repeat, options.mint, options.idle = 1, 1, 500, 500
    return options


def chosen(options):
    wanted = options.metrics.split(",") if options.metrics else (
        QUICK if options.quick else [m.key for m in METRICS] + ["h2", "scale"])
    names = options.peers.split(",") if options.peers else [
        p.name for p in peers.FORWARD if not (options.quick and p is peers.Mitmproxy)]
    return wanted, [p for p in peers.FORWARD if p.name in names]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure_all(metrics, running, options, results):
    for metric in metrics:
        say(metric.title)
        for repetition in range(1 if metric.needs_fresh_process else options.repeat):
            for peer in (peer for peer in running if metric.key not in peer.leaves_out):
                if metric.needs_fresh_process:
                    peer.stop()
                    peer.start()
                results.setdefault(metric.key, {}).setdefault(peer.name, []).append(
                    metric.measure(peer, options, repetition))


def measure_pair(key, classes, origin, directory, options, results, measure):
    """Two that are compared apart from the others, A B A B."""
    both = [cls(origin, directory / f"{key}-{i}") for i, cls in enumerate(classes)]
    try:
        for peer in both:
            peer.start()
        for _ in range(options.repeat):
            for peer in both:
                results.setdefault(key, {}).setdefault(peer.name, []).append(measure(peer, options))
    finally:
        for peer in both:
            peer.stop()


def scale(peer, options):
    """How many requests a second as many workers answer."""
    return next(m for m in METRICS if m.key == "rate").measure(peer, options, 0)


def median(runs):
    values = [run["value"] for run in runs if "value" in run]
    errors = sum(run.get("errors", 0) for run in runs) + sum("failed" in run for run in runs)
    return (statistics.median(values) if values else None), errors


def cell(runs):
    value, errors = median(runs)
    text = "failed" if value is None else (f"{value:.1f}" if value < 100 else f"{value:,.0f}")
    return text + (f" (!{errors} errors)" if errors else "")


def verdict(row, target):
    own, _ = median(row.get("leash", []))
    if target is None or own is None:
        return "-"
    if not isinstance(target, tuple):
        return f"{own:.1f} of at most {target}"
    other, _ = median(row.get(target[0], []))
    if not other:
        return "-"
    mark = "" if own / other <= target[1] else ", not met"
    return f"{own / other:.2f} x {target[0]} (target {target[1]}{mark})"


def table(results, names):
    lines = ["| metric | " + " | ".join(names) + " | leash against |", "|---|" + "---:|" * len(names) + "---|"]
    for metric in METRICS:
        row = results.get(metric.key)
        if row:
            cells = [cell(row[name]) if name in row else "-" for name in names]
            lines.append(f"| {metric.title} | " + " | ".join(cells) + f" | {verdict(row, metric.target)} |")
    lines.append("")
    if "h2" in results:
        row = results["h2"]
        lines.append(f"HTTP/2 on both sides, 100 streams on 4 connections, CPU-us a request: leash {cell(row['leash'])}, "
                     f"nghttpx {cell(row['nghttpx'])}: {verdict(row, ('nghttpx', 1.2))}")
    if "scale" in results:
        one, two = (median(results["scale"][name])[0] for name in ("leash", "leash, 2 workers"))
        if one and two:
            lines.append(f"Requests a second: {one:,.0f} with one worker, {two:,.0f} with two ({two / one:.2f} times; "
                         "origin and load share the cores)")
    return "\n".join(lines)


def main():
    options = parse()
    if os.geteuid() != 0:
        raise SystemExit("bench: root is needed, for mount namespaces")
    wanted, classes = chosen(options)
    missing = [c.name for c in classes if not c.is_here()]
    if missing:
        raise SystemExit(f"bench: not installed: {', '.join(missing)} (make bench installs them)")
    directory = Path(tempfile.mkdtemp(prefix="leash-bench-"))
    directory.chmod(0o755)
    (directory / "origin").mkdir()
    results, running = {}, []
    begin = time.time()
    try:
        origin = Origin(directory / "origin")
        try:
            metrics = [m for m in METRICS if m.key in wanted]
            running = [cls(origin, directory / cls.name.split()[0].rstrip(",")) for cls in classes] if metrics else []
            for peer in running:
                peer.start()
            measure_all(metrics, running, options, results)
            for peer in running:
                peer.stop()
            if "h2" in wanted and peers.Nghttpx.is_here():
                say("HTTP/2")
                measure_pair("h2", [peers.Leash, peers.Nghttpx], origin, directory, options, results, measure_h2)
            if "scale" in wanted:
                say("two workers")
                measure_pair("scale", [peers.Leash, peers.LeashTwo], origin, directory, options, results, scale)
        finally:
            for peer in running:
                peer.stop()
            origin.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    Path(options.out).write_text(json.dumps({"when": time.strftime("%F %T", time.gmtime(begin)), "seconds": options.seconds,
                                             "repeat": options.repeat, "load": os.getloadavg(), "results": results},
                                            indent=1) + "\n")
    print(table(results, [c.name for c in classes]))
    print(f"\nRaw results: {options.out}. Load of the machine at the end: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
