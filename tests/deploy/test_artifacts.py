"""What is shipped beside the programs agrees with them: man pages, completion, dashboard and alert rules."""

import http.client
import json
import lzma
import os
import re
import shutil
import subprocess
import urllib.request

import pytest
import yaml

from support.leash import LEASH, LEASHCTL, ROOT
from support.wait import wait_until

PAGES = sorted((ROOT / "docs" / "man").glob("*.[18]"))


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not here")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_man_page_has_no_warnings(page):
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, env=dict(os.environ, LC_ALL="C.UTF-8", MANROFFSEQ="", MANWIDTH="120"))
    assert done.returncode == 0 and done.stderr == ""


def words_of(page):
    """The page's text without its markup: `Fl -listen` reads --listen."""
    text = (ROOT / "docs" / "man" / page).read_text()
    return re.sub(r"\bFl (-?[\w-]+)", r"-\1", re.sub(r" , (?=-)", " Fl ", text))


def test_man_page_of_leash_has_its_flags_and_variables():
    said = subprocess.run([LEASH, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    page = words_of("leash.8")
    flags = set(re.findall(r"^(--[a-z-]+)", said, re.MULTILINE))
    variables = {name for name in re.findall(r"\b((?:LEASH_|LOG_PATH|BODY_LIMIT_KB)[A-Z_]*)", said)}
    assert len(flags) > 8 and len(variables) > 12
    assert {flag for flag in flags if flag not in page} == set()
    assert {name.removesuffix("capture") for name in variables if name not in page} == set()


def commands():
    said = subprocess.run([LEASHCTL, "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted(set(re.findall(r"^  leashctl ([a-z][a-z-]*)", said, re.MULTILINE)))


def test_man_page_of_leashctl_has_its_commands():
    page = words_of("leashctl.1")
    assert len(commands()) > 15
    assert [name for name in commands() if not re.search(rf"^\.It Cm {name}\b", page, re.MULTILINE)] == []


def complete(*words):
    """What bash offers for the last of the words."""
    script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _leashctl; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", ROOT / "completions" / "leashctl.bash", LEASHCTL, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=dict(os.environ, LEASH_DIR=str(ROOT / "policy")))
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_values():
    assert set(complete("")) == set(commands())
    assert complete("--log", "x", "mode", "") == ["enforce", "audit", "blocklist"]
    assert complete("remove", "--from", "b") == ["blocklist"]
    assert complete("remove", "registry") == ["registry.npmjs.org"]
    assert complete("verify", "READ") == ["README.md"]
    for command in ("audit", "allow", "verify"):
        said = subprocess.run([LEASHCTL, "help", command], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert set(re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", said, re.MULTILINE)) <= set(complete(command, "-")), command


@pytest.mark.parametrize("shell, file", [("zsh", "_leashctl"), ("fish", "leashctl.fish")])
def test_other_shells_read_their_completion(shell, file):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    subprocess.run([shell, "-n", ROOT / "completions" / file], check=True)


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """Names of what a leash with every sink tells."""
    top = tmp_path_factory.mktemp("metrics")
    (top / "policy").mkdir()
    environment = dict(os.environ, LEASH_SYSLOG=f"unix:{top}/syslog", LEASH_AUDIT_SOCKET=str(top / "audit.sock"))
    with open(top / "said", "wb") as said:
        leash = subprocess.Popen([LEASH, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policy-dir", str(top / "policy"),
                                  "--log", str(top / "log.jsonl"), "--ca-dir", str(top / "ca")], stderr=said, env=environment)

    def ask():
        """By the port that leash names: one that was chosen for it may be taken when it comes."""
        found = re.search(r"admin on (127\.0\.0\.1:\d+)", (top / "said").read_text())
        try:
            return urllib.request.urlopen(f"http://{found.group(1)}/metrics", timeout=5).read().decode() if found else None
        except OSError:
            return None
        finally:
            assert leash.poll() is None, (top / "said").read_text()

    try:
        text = wait_until(ask, "metrics", 60)
    finally:
        leash.terminate()
        leash.wait()
    return set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))


def test_dashboard_and_alerts_name_metrics_that_exist(metrics):
    dashboard = json.loads((ROOT / "monitoring" / "grafana-dashboard.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    rules = yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())
    asked += " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    named = set(re.findall(r"\bleash_\w+", asked))
    assert len(named) > 15
    assert {name for name in named if re.sub("_(bucket|sum|count)$", "", name) not in metrics} == set()
    # Nobody looks at a figure without being told what it means.
    handbook = (ROOT / "docs" / "OPERATIONS.md").read_text()
    assert {name for name in named if re.sub("_(bucket|sum|count)$", "", name) not in handbook} == set()


def test_dashboard_is_one():
    dashboard = json.loads((ROOT / "monitoring" / "grafana-dashboard.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_has_its_answer():
    rules = yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())
    handbook = (ROOT / "docs" / "OPERATIONS.md").read_text()
    for rule in rules["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("info", "warning", "critical") and "summary" in rule["annotations"]
        assert f"`{rule['alert']}`" in handbook, rule["alert"]


def test_promtool_takes_the_rules(tmp_path):
    """Taken out of its package, which would start a server."""
    program = shutil.which("promtool")
    if program is None:
        got = subprocess.run(["apt-get", "download", "-q", "prometheus"], cwd=tmp_path, capture_output=True, text=True)
        if got.returncode != 0:
            pytest.skip("promtool is not here (package prometheus), and no mirror to fetch it from; the structure is checked above")
        subprocess.run(["dpkg-deb", "-x", *tmp_path.glob("prometheus_*.deb"), tmp_path / "root"], check=True)
        program = str(tmp_path / "root" / "usr" / "bin" / "promtool")
    subprocess.run([program, "test", "rules", "alerts_test.yaml"], cwd=ROOT / "monitoring", check=True)


def quadlet(name):
    """[Container] of a unit: key -> values."""
    made = {}
    section = None
    for line in (ROOT / "quadlet" / name).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Container]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            made.setdefault(key, []).append(value)
    return made


@pytest.mark.parametrize("name, port", [("leash.container", "8080:8080"), ("leash-console.container", "8090:8090")])
def test_containers_have_no_rights(name, port):
    unit = quadlet(name)
    assert unit["DropCapability"] == ["all"] and unit["NoNewPrivileges"] == ["true"] and unit["ReadOnly"] == ["true"]
    assert unit["User"][0] not in ("0", "root") and unit["PublishPort"] == [port]
    volumes = {value.split(":")[1]: value.split(":")[2].split(",") for value in unit["Volume"]}
    # Who shares a volume shares its label; who does not has one of its own.
    assert all(("Z" in options) == (path in ("/var/lib/leash/ca", "/var/lib/leash-console")) for path, options in volumes.items())
    is_proxy = name == "leash.container"
    assert ("ro" in volumes["/etc/leash"]) == is_proxy and ("ro" in volumes["/var/log/leash"]) != is_proxy
    assert ("/var/lib/leash/ca" in volumes) == is_proxy


def newer_podman():
    """Podman's package of Debian 13, as this host's mirror has it; None where it cannot be had."""
    mirror = "http://deb.debian.org/debian"
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        with urllib.request.urlopen(f"{mirror}/dists/trixie/main/binary-{architecture}/Packages.xz", timeout=60) as packages:
            entries = lzma.decompress(packages.read()).decode().split("\n\n")
        entry = next(text for text in entries if text.startswith("Package: podman\n"))
        address = f"{mirror}/" + re.search(r"^Filename: (.*)$", entry, re.MULTILINE).group(1)
        with urllib.request.urlopen(address, timeout=60) as package:
            return package.read()
    except (OSError, http.client.HTTPException):
        return None


@pytest.fixture(scope="module")
def quadlet_generator(tmp_path_factory):
    """Podman's own, of version 4.4 or later: this host's, or the one in Debian 13's package, taken out of it."""
    here = next((path for path in ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet") if os.access(path, os.X_OK)), None)
    if here:
        return here
    package = newer_podman()
    if package is None:
        pytest.skip("no quadlet generator is here (Podman 4.4 or later), and no mirror to fetch one from")
    place = tmp_path_factory.mktemp("podman")
    (place / "podman.deb").write_bytes(package)
    subprocess.run(["dpkg-deb", "-x", place / "podman.deb", place / "root"], check=True)
    return str(place / "root" / "usr" / "libexec" / "podman" / "quadlet")


def test_the_generator_takes_the_quadlet_units(quadlet_generator):
    done = subprocess.run([quadlet_generator, "--dryrun"], capture_output=True, text=True, env=dict(os.environ, QUADLET_UNIT_DIRS=str(ROOT / "quadlet")))
    assert done.returncode == 0 and not re.search("unsupported|error", done.stderr + done.stdout, re.IGNORECASE), done.stderr
    for unit in ("leash", "leash-console", "leash-network"):
        assert f"---{unit}.service---" in done.stdout


def test_the_image_has_what_the_programs_need():
    """Each stage names what it copies; nothing of a build goes into the last one."""
    text = (ROOT / "Containerfile").read_text()
    last = text.rsplit("\nFROM ", 1)[1]
    assert "USER 65532:65532" in last and "build.txt" not in last and "COPY . " not in last
    for script in ("image_sources.sh", "image_files.sh"):
        subprocess.run(["sh", "-n", ROOT / "tools" / script], check=True)
