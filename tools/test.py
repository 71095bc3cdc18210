#!/usr/bin/python3
"""Runs every test there is, by stages; the last line is the count.

`--only a,b` runs some of the stages: lint, unit, integration, instructions, console, deploy, asan_unit, asan_integration,
tsan_unit, fuzz, tidy.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import build
import lint
import web

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["lint", "unit", "integration", "instructions", "console", "deploy", "asan_unit", "asan_integration", "tsan_unit",
          "fuzz", "tidy"]
THREADED = ["proxy", "control", "audit", "config", "console", "signer"]  # the folders where threads meet
JOBS = os.cpu_count() or 2
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:exitcode=99:suppressions={ROOT}/tools/ubsan.supp",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:exitcode=99:suppressions={ROOT}/tools/tsan.supp",
}
UNIT_SECONDS = 600
INTEGRATION_SECONDS = 1800
SPREAD = ["-n", str(JOBS), "--dist", "loadfile"]
CONSOLE_SECONDS = 1200


class Tally:
    """The results so far."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # (name, text)

    def add(self, name, is_good, text=""):
        if is_good:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append((name, text))
            print(f"FAILED {name}", flush=True)

    def print_summary(self):
        for name, text in self.failures:
            print(f"\n--- {name}")
            lines = text.rstrip().splitlines()
            if len(lines) > 60:
                print(f"[{len(lines) - 60} lines left out]")
            print("\n".join(lines[-60:]))
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)


def is_built(tally, stage, kind, targets=()):
    if build.build(kind, targets) == 0:
        build.link_programs(build.folder(kind))
        return True
    tally.add(f"{stage}: build", False, "the build failed; its output is above")
    return False


class Ahead:
    """Does work of later stages in what processor time the stages before them leave: those wait for a good part of theirs.
    What it has not come to by then, the stage itself does."""

    def __init__(self):
        self.program = None

    def start(self, *commands):
        """One after the other; each: a program in tools/ and its arguments."""
        self.stop()
        if shutil.which("chrt") and commands:
            line = "; ".join(f"/usr/bin/python3 {ROOT}/tools/{command}" for command in commands)
            self.program = subprocess.Popen(["chrt", "--idle", "0", "sh", "-c", line], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        if self.program is None:
            return
        group, self.program = self.program, None
        try:
            while True:  # until the last compiler has ended, and taken away what it had half made
                os.killpg(group.pid, signal.SIGTERM)
                group.poll()
                time.sleep(0.05)
        except ProcessLookupError:
            group.wait()


def introspect(directory, what):
    done = subprocess.run(["meson", "introspect", what, str(directory)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def run_program(command, environment, seconds, cwd=None):
    """(exit code or None when it had to be stopped, output)"""
    try:
        done = subprocess.run(command, env=environment, cwd=cwd, timeout=seconds, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as stopped:
        return None, (stopped.stdout or b"").decode(errors="replace") + f"\nstopped after {seconds} s"
    except OSError as error:
        return None, str(error)


def count_doctest(tally, name, code, output):
    """Adds a doctest program's cases by its own summary. One that ended without, or badly, has failed."""
    summary = re.search(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed(?:\s*\|\s*(\d+) skipped)?",
                        output)
    if summary is None:
        tally.add(f"{name} ended without a summary (exit code {code})", False, output)
        return
    _, passed, failed, skipped = (int(number or 0) for number in summary.groups())
    tally.passed += passed
    tally.skipped += skipped
    if failed == 0 and code != 0:
        tally.add(f"{name} ended with exit code {code}", False, output)
    cases = list(dict.fromkeys(re.findall(r"^TEST CASE:\s*(.*)$", output, re.MULTILINE)))
    for index in range(failed):
        case = cases[index].strip() if index < len(cases) else "a test case"
        tally.add(f"{name}: {case}", False, output if index == 0 else "see above")


def run_units(tally, stage, kind, only=None):
    """Runs the test programs that meson knows (of the folders `only`)."""
    directory = build.configure(kind)
    tests = introspect(directory, "--tests")
    if only is not None:
        tests = [test for test in tests if test["name"] in {f"unit_{name}" for name in only}]
        if not is_built(tally, stage, kind, [os.path.relpath(test["cmd"][0], directory) for test in tests]):
            return
    elif not is_built(tally, stage, kind):
        return

    def one(test):
        environment = dict(os.environ, **SANITIZER_ENV, **test["env"])
        return run_program(test["cmd"], environment, UNIT_SECONDS, test["workdir"])

    with ThreadPoolExecutor(JOBS) as pool:
        for test, (code, output) in zip(tests, pool.map(one, tests)):
            name = f"{stage}: {test['name']}"
            if test["name"].startswith("unit_"):
                count_doctest(tally, name, code, output)
            else:
                tally.add(name, code == 0, output)


def run_pytest(tally, stage, kind, folder, options):
    if not is_built(tally, stage, kind):
        return
    directory = build.folder(kind)
    scratch = Path(tempfile.mkdtemp(prefix="leash-tests-"))
    try:
        report = scratch / "report.xml"
        environment = dict(os.environ, LEASH_BUILD=str(directory), PYTHONDONTWRITEBYTECODE="1",
                           **SANITIZER_ENV)
        if kind != "release":
            environment["LEASH_SANITIZED"] = "1"
        command = ["/usr/bin/python3", "-m", "pytest", str(ROOT / "tests" / folder), "-q", *options, "-p", "no:cacheprovider", f"--basetemp={scratch / 'tmp'}",
                   f"--junitxml={report}", "-o", "faulthandler_timeout=180", "--tb=short"]
        code, output = run_program(command, environment, INTEGRATION_SECONDS, ROOT)
        count_junit(tally, stage, report, code, output)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def count_junit(tally, stage, report, code, output):
    if not report.exists():
        tally.add(f"{stage}: pytest ended without a report (exit code {code})", False, output)
        return
    failed = False
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{stage}: {case.get('classname')}::{case.get('name')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            failed = True
            tally.add(name, False, "\n".join(child.text or child.get("message", "") for child in bad))
        elif case.find("skipped") is not None:
            tally.skipped += 1
            print(f"skipped {name}: {case.find('skipped').get('message')}")
        else:
            tally.passed += 1
    if code != 0 and not failed:
        tally.add(f"{stage}: pytest ended with exit code {code}", False, output)


def run_console(tally):
    """The console's page: types, its logic in Vitest, and the page in Chromium against the programs."""
    if not is_built(tally, "console", "release"):
        return
    web.install(web.TESTS)
    code, output = run_program(["npm", "run", "--silent", "check"], None, CONSOLE_SECONDS, web.WEB)
    tally.add("console: types", code == 0, output)
    environment = dict(os.environ, LEASH_BUILD=str(build.folder("release")))
    for part in ("unit", "browser"):
        with tempfile.TemporaryDirectory(prefix="leash-console-") as scratch:
            report = Path(scratch) / "report.json"
            command = ["npm", "run", "--silent", part, "--", "--reporter=json", f"--outputFile={report}"]
            code, output = run_program(command, environment, CONSOLE_SECONDS, web.TESTS)
            count_vitest(tally, f"console: {part}", report, code, output)


def count_vitest(tally, name, report, code, output):
    if not report.exists():
        tally.add(f"{name}: ended without a report (exit code {code})", False, output)
        return
    failed = False
    for file in json.loads(report.read_text())["testResults"]:
        if file["status"] == "failed" and not file["assertionResults"]:
            failed = True
            tally.add(f"{name}: {Path(file['name']).name}", False, file.get("message", ""))
        for case in file["assertionResults"]:
            if case["status"] == "passed":
                tally.passed += 1
            elif case["status"] == "failed":
                failed = True
                tally.add(f"{name}: {case['fullName']}", False, "\n".join(case.get("failureMessages", [])))
            else:
                tally.skipped += 1
    if code != 0 and not failed:
        tally.add(f"{name}: ended with exit code {code}", False, output)


def run_instructions(tally):
    """The counts of bench/instructions.py against those that are written down."""
    directory = build.configure("release")
    if not is_built(tally, "instructions", "release", ["bench/micro", "bench/no_seccomp.so", "src/leash"]):
        return
    code, output = run_program(["/usr/bin/python3", str(ROOT / "bench" / "instructions.py")],
                               dict(os.environ, LEASH_BUILD=str(directory)), UNIT_SECONDS, ROOT)
    results = re.findall(r"^(good|MORE)  (.*)$", output, re.MULTILINE)
    for word, text in results:
        tally.add(f"instructions: {text}", word == "good", output)
    if code != 0 and all(word == "good" for word, _ in results):
        tally.add(f"instructions: ended with exit code {code}", False, output)


def run_lint(tally):
    lint.check_format(tally.add)
    lint.check_the_layers(tally.add)


def run_tidy(tally):
    if is_built(tally, "tidy", "asan", ["src/console/embedded_page.cc"]):
        lint.check_tidy(tally.add, JOBS)


def run_fuzz(tally, seconds):
    """Each target from its corpus for a while; what it finds new stays out of the tree."""
    directory = build.configure("asan")
    targets = [t for t in introspect(directory, "--targets") if t["name"].startswith("fuzz_")]
    if not is_built(tally, "fuzz", "asan", [os.path.relpath(t["filename"][0], directory) for t in targets]):
        return
    finds = directory / "finds"
    finds.mkdir(exist_ok=True)

    def one(target):
        name = target["name"]
        corpus = Path(target["defined_in"]).parent / "corpus" / name.removeprefix("fuzz_")
        with tempfile.TemporaryDirectory(prefix="leash-fuzz-") as scratch:
            if corpus.is_dir():
                shutil.copytree(corpus, scratch, dirs_exist_ok=True)
            command = [target["filename"][0], scratch, f"-max_total_time={seconds}", "-timeout=10",
                       "-rss_limit_mb=2048", f"-artifact_prefix={finds}/{name}-", "-print_final_stats=1"]
            return run_program(command, dict(os.environ, **SANITIZER_ENV), seconds * 3 + 60)

    with ThreadPoolExecutor(JOBS) as pool:
        for target, (code, output) in zip(targets, pool.map(one, targets)):
            tally.add(f"fuzz: {target['name']}", code == 0, output)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(STAGES), help="stages, with commas between")
    parser.add_argument("--fuzz-seconds", type=int, default=20, help="for each fuzz target")
    options = parser.parse_args()
    stages = options.only.split(",")
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        raise SystemExit(f"test: no such stage: {' '.join(unknown)} (there are: {' '.join(STAGES)})")

    tally = Tally()
    runs = {
        "lint": lambda: run_lint(tally),
        "unit": lambda: run_units(tally, "unit", "release"),
        "integration": lambda: run_pytest(tally, "integration", "release", "integration", SPREAD),
        "console": lambda: run_console(tally),
        "instructions": lambda: run_instructions(tally),
        "deploy": lambda: run_pytest(tally, "deploy", "release", "deploy", []),
        "asan_unit": lambda: run_units(tally, "asan_unit", "asan"),
        "asan_integration": lambda: run_pytest(tally, "asan_integration", "asan", "integration", SPREAD),
        "tsan_unit": lambda: run_units(tally, "tsan_unit", "tsan", THREADED),
        "fuzz": lambda: run_fuzz(tally, options.fuzz_seconds),
        "tidy": lambda: run_tidy(tally),
    }
    asan = "build.py asan"
    tsan = "build.py tsan " + " ".join(f"tests/unit/{name}/unit_{name}" for name in THREADED)
    tidy = "lint.py"
    ahead = Ahead()

    def later(than, **commands):
        return [command for stage, command in commands.items()
                if stage in stages and STAGES.index(stage) > STAGES.index(than)]

    atexit.register(ahead.stop)
    for stage in STAGES:
        if stage not in stages:
            continue
        begin = time.monotonic()
        before = (tally.passed, tally.failed, tally.skipped)
        print(f"== {stage}", flush=True)
        try:
            if stage in ("asan_unit", "asan_integration", "tsan_unit", "fuzz", "tidy"):
                ahead.stop()
            work = later(stage, asan_unit=asan, tsan_unit=tsan, tidy=tidy)
            if stage in ("integration", "asan_integration") and work:
                web.build()  # this and the next: before both begin with it at a time
                build.configure("asan")
                ahead.start(*work)
            runs[stage]()
        except (OSError, subprocess.SubprocessError, SystemExit) as error:
            tally.add(f"{stage}: could not run", False, str(error))
        if (tally.passed, tally.failed, tally.skipped) == before:
            tally.add(f"{stage}: ran nothing", False)
        delta = [now - then for now, then in zip((tally.passed, tally.failed, tally.skipped), before)]
        print("== {}: {} passed, {} failed, {} skipped, {:.0f} s".format(stage, *delta, time.monotonic() - begin),
              flush=True)
    tally.print_summary()
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
