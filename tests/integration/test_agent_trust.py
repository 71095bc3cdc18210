"""What an agent's machine is told to trust: certs/install-ca.sh for real, then real clients through a real leash."""

import datetime
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.leash import ROOT
from support.pki import Pki, now
from support.sandbox import Sandbox, needs_root
from support.wait import DEADLINE, IS_SANITIZED
from support.world import World

CERTS = ROOT / "certs"
INSTALL = str(CERTS / "install-ca.sh")
SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]
SYSTEM = ("/etc", "/usr/local", "/var")
FROM_SYSTEM_STORE = ["curl", "wget", "python3", "git", "openssl"]

pytestmark = [needs_root, pytest.mark.skipif(IS_SANITIZED, reason="tests shell scripts; once is enough")]


@pytest.fixture(scope="module")
def leash(module_leash, pki):
    world = World(pki)
    made = module_leash(mode="enforce", **world.options())
    made.world = world
    yield made
    world.close()


def own_machine(hides):
    if shutil.which("update-ca-certificates") is None:
        pytest.skip("update-ca-certificates is not here")
    made = Sandbox(SYSTEM, hides=hides)
    made.make_small_store(keeps_java=not hides)
    return made


@pytest.fixture(scope="module")
def machine():
    """A machine with its own /etc, /usr/local and /var, without Java (which is slow), its stores as its own programs leave them."""
    made = own_machine(hides=("keytool",))
    yield made
    made.close()


def stores(machine):
    """What the stores hold: files by their sum, links by their target."""
    listing = machine.check("sh", "-c", "find /etc/ssl /usr/local/share/ca-certificates ! -path '*/java/*' -type f -exec sha256sum {} + ;"
                            "find /etc/ssl /usr/local/share/ca-certificates -type l -exec ls -l {} + | sed 's/.* \\//\\//'")
    return sorted(listing.splitlines())


def java_prints(machine):
    listing = machine.check("keytool", "-list", "-cacerts", "-storepass", "changeit")
    return sorted(re.findall(r"\(SHA-256\): (\S+)", listing))


def print_of(path):
    out = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True,
                         check=True).stdout
    return out.strip().split("=")[1]


def proxy_env(leash):
    """The way to leash and nothing about the CA."""
    return {name: leash.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}


def client_command(program, leash):
    """A program that fetches https://allow.test and believes the system's store alone."""
    world = leash.world
    url = f"https://{world.tls_authority}/"
    host, port = world.ALLOWED, str(world.tls.port)
    python = ("import http.client, ssl, sys\n"
              f"c = http.client.HTTPSConnection('{leash.address[0]}', {leash.address[1]}, context=ssl.create_default_context())\n"
              f"c.set_tunnel('{host}', {port})\nc.request('GET', '/')\nprint(c.getresponse().read().decode())\n")
    return {
        "curl": ["curl", "-sS", "--fail", url],
        "wget": ["wget", "-q", "-t", "1", "-O", "-", url],
        "python3": ["/usr/bin/python3", "-c", python],
        "git": ["git", "ls-remote", f"https://{world.tls_authority}/x.git"],
        "openssl": ["openssl", "s_client", "-proxy", f"{leash.address[0]}:{leash.address[1]}", "-connect", f"{host}:{port}",
                    "-servername", host, "-verify_hostname", host, "-verify_return_error", "-brief"],
    }[program]


def is_trusted(program, machine, leash):
    done = machine.run(client_command(program, leash), proxy_env(leash))
    if program == "git":  # the origin is no repository; what matters is how far it comes
        return "certificate" not in done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_install_is_idempotent_and_uninstall_restores(machine, leash, shell):
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not here")
    before = stores(machine)
    out = machine.check(*shell, INSTALL, "--sha256", print_of(leash.ca_file), leash.ca_file)
    assert "system store: installed" in out, out
    installed = stores(machine)
    assert installed != before
    out = machine.check(*shell, INSTALL, leash.ca_file)
    assert "system store: has it" in out and "installed" not in out, out
    assert stores(machine) == installed
    machine.check(*shell, INSTALL, "--uninstall")
    assert stores(machine) == before
    assert "nothing to remove" in machine.check(*shell, INSTALL, "--uninstall")


def test_clients_need_nothing_but_the_system_store(machine, leash):
    assert [program for program in FROM_SYSTEM_STORE if is_trusted(program, machine, leash)] == []
    machine.check("sh", INSTALL, leash.ca_file)
    try:
        assert [program for program in FROM_SYSTEM_STORE if not is_trusted(program, machine, leash)] == []
    finally:
        machine.check("sh", INSTALL, "--uninstall")
    assert [program for program in FROM_SYSTEM_STORE if is_trusted(program, machine, leash)] == []


NODE = """
const http = require('http'), https = require('https');
const [proxyHost, proxyPort, host, port] = process.argv.slice(1);
http.request({host: proxyHost, port: proxyPort, method: 'CONNECT', path: `${host}:${port}`})
  .on('connect', (answer, socket) => https.get({host, port, path: '/', socket, agent: false},
      (response) => { console.log(response.statusCode); process.exit(0); })
    .on('error', (error) => { console.log(error.code); process.exit(1); })).end();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_leash_env_is_all_that_node_and_requests_need(machine, leash):
    """Programs with roots of their own take the CA from the variables of leash-env.sh."""
    machine.check("sh", INSTALL, leash.ca_file)
    try:
        where = [leash.address[0], str(leash.address[1]), leash.world.ALLOWED, str(leash.world.tls.port)]
        assert machine.run(["node", "-e", NODE] + where).returncode == 1
        sourced = ["sh", "-c", f'. "{CERTS}/leash-env.sh"; exec "$@"', "sh"]
        env = {"LEASH_PROXY": leash.url}
        assert machine.check(*sourced, "node", "-e", NODE, *where, env=env) == "200\n"
        get = f"import requests; print(requests.get('https://{leash.world.tls_authority}/').text)"
        assert machine.check(*sourced, "/usr/bin/python3", "-c", get, env=env) == "ok\n"
    finally:
        machine.check("sh", INSTALL, "--uninstall")


JAVA = """
public class Get {
  public static void main(String[] words) throws Exception {
    var connection = (java.net.HttpURLConnection) new java.net.URL(words[0]).openConnection();
    System.out.println(connection.getResponseCode());
  }
}
"""


@pytest.mark.skipif(shutil.which("javac") is None, reason="a JDK is not here")
def test_java_trusts_what_was_installed(leash, tmp_path):
    machine = own_machine(hides=())
    before = java_prints(machine)
    source = tmp_path / "Get.java"
    source.write_text(JAVA)
    sourced = ["sh", "-c", f'. "{CERTS}/leash-env.sh"; exec "$@"', "sh"]
    get = [*sourced, "java", str(source), f"https://{leash.world.tls_authority}/"]
    env = {"LEASH_PROXY": leash.url, "LEASH_CA_FILE": leash.ca_file}
    assert "PKIX" in machine.run(get, env).stderr
    machine.check("sh", INSTALL, leash.ca_file)
    try:
        assert machine.check(*get, env=env) == "200\n"
        assert "Java: has it" in machine.check("sh", INSTALL, leash.ca_file)
        machine.check("sh", INSTALL, "--uninstall")
        assert java_prints(machine) == before
    finally:
        machine.close()


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil (libnss3-tools) is not here")
def test_nss_database_of_the_user_without_root(leash):
    machine = Sandbox()
    try:
        database = machine.home / ".pki" / "nssdb"
        database.mkdir(parents=True)
        machine.check("certutil", "-N", "-d", f"sql:{database}", "--empty-password")
        for path in [machine.directory, *machine.directory.rglob("*")]:
            os.chown(path, 65534, 65534)
        trusted = Path(machine.directory) / "ca.pem"
        trusted.write_bytes(Path(leash.ca_file).read_bytes())

        def as_nobody(*words):
            done = machine.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", INSTALL, *words])
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "NSS: installed" in as_nobody("--user", str(trusted))
        assert "NSS: has it" in as_nobody("--user", str(trusted))
        assert re.search(r"leash-ca +C,,", machine.check("certutil", "-L", "-d", f"sql:{database}"))
        assert "NSS: removed" in as_nobody("--user", "--uninstall")
        assert "leash-ca" not in machine.check("certutil", "-L", "-d", f"sql:{database}")
        without_root = machine.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", INSTALL, str(trusted)])
        assert without_root.returncode == 1 and "run as root" in without_root.stderr
    finally:
        machine.close()


def test_what_is_no_ca_certificate_is_refused(machine, leash, pki, tmp_path):
    before = stores(machine)
    leaf = tmp_path / "leaf.pem"
    chain = pki.issue("leaf.test").path
    leaf.write_text(re.search(r"-----BEGIN CERT.*?END CERTIFICATE-----\n", Path(chain).read_text(), re.DOTALL).group())
    ca = Path(leash.ca_file).read_text()
    expired = Path(Pki(tmp_path / "old", not_after=now() - datetime.timedelta(days=1)).ca_file)
    made = {
        "two.pem": (ca + leaf.read_text(), "2 certificates"),
        "with-key.pem": (ca + "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "private key"),
        "words.pem": ("no certificate at all\n", "0 certificates"),
        "cut.pem": (ca.replace(ca.splitlines()[3] + "\n", ""), "cut off"),
        "base64.pem": (ca.replace("MII", "M*I", 1), "no certificate"),
    }
    cases = [(leaf, "not the certificate of a CA"), (expired, "expired"), (tmp_path / "nowhere.pem", "cannot be read")]
    for name, (text, why) in made.items():
        (tmp_path / name).write_text(text)
        cases.append((tmp_path / name, why))
    for path, why in cases:
        done = machine.run(["sh", INSTALL, path])
        assert done.returncode == 1 and why in done.stderr, (path, done.stderr)
    done = machine.run(["sh", INSTALL, "--sha256", print_of(pki.ca_file), leash.ca_file])
    assert done.returncode == 1 and "its SHA-256 is" in done.stderr
    for words in ([], ["--nonsense", leash.ca_file], ["--name", "../x", leash.ca_file], [leash.ca_file, leash.ca_file], ["--sha256"]):
        assert machine.run(["sh", INSTALL, *words]).returncode == 2, words
    assert stores(machine) == before


def test_dry_run_changes_nothing(machine, leash):
    before = stores(machine)
    out = machine.check("sh", INSTALL, "--dry-run", leash.ca_file)
    assert "would run: update-ca-certificates" in out and "system store: installed" not in out
    assert stores(machine) == before


def test_a_new_ca_takes_the_place_of_the_old_one_and_two_stand_side_by_side(machine, leash, tmp_path):
    other = Pki(tmp_path / "other", "leash CA of tomorrow").ca_file
    before = stores(machine)
    bundle = "/etc/ssl/certs/ca-certificates.crt"

    def holds(path):
        pem = "".join(line for line in Path(path).read_text().splitlines() if "-----" not in line)
        return pem in machine.check("sh", "-c", f"tr -d '\\n' < {bundle}")

    machine.check("sh", INSTALL, leash.ca_file)
    machine.check("sh", INSTALL, "--name", "leash-ca-next", other)
    assert holds(leash.ca_file) and holds(other)
    machine.check("sh", INSTALL, "--name", "leash-ca-next", "--uninstall")
    machine.check("sh", INSTALL, other)
    assert holds(other) and not holds(leash.ca_file)
    machine.check("sh", INSTALL, "--uninstall")
    assert stores(machine) == before


# Other distributions' layouts, by what is on the PATH


@pytest.fixture
def bare(tmp_path):
    """A sandbox and a PATH of nothing but busybox, as in a slim image."""
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not here")
    made = Sandbox(("/etc", "/usr/local"))
    tools = made.directory / "bin"
    tools.mkdir()
    for applet in ("sh", "cat", "chmod", "cmp", "cp", "cut", "base64", "grep", "id", "ls", "mkdir", "mktemp", "od", "readlink", "rm",
                   "sed", "sha256sum", "sort", "tr", "wc"):
        (tools / applet).symlink_to(shutil.which("busybox"))
    made.tools = tools
    yield made
    made.close()


def test_bundle_without_a_program_that_makes_it(bare, leash):
    """As in Alpine's image before ca-certificates: the bundle itself gets the certificate, between two marks."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    env = {"PATH": str(bare.tools)}
    before = bare.check("sha256sum", bundle)
    bare.check(bare.tools / "sh", INSTALL, leash.ca_file, env=env)
    once = bare.check("cat", bundle)
    assert once.count("# leash CA begin leash-ca") == 1
    verify = ["openssl", "verify", "-CAfile", str(bundle), "-no-CApath", leash.ca_file]
    assert bare.run(verify).returncode == 0
    bare.check(bare.tools / "sh", INSTALL, leash.ca_file, env=env)
    assert bare.check("cat", bundle) == once
    bare.check(bare.tools / "sh", INSTALL, "--uninstall", env=env)
    assert bare.check("sha256sum", bundle) == before
    assert bare.run(verify).returncode != 0


def test_layout_of_fedora(bare, leash):
    """Its folder for anchors, and a stand-in for its update-ca-trust."""
    stand_in = bare.tools / "update-ca-trust"
    stand_in.write_text("#!/bin/sh\nmkdir -p /etc/pki/tls/certs\n"
                        "cat /etc/pki/ca-trust/source/anchors/*.pem > /etc/pki/tls/certs/ca-bundle.crt 2>/dev/null || :\n")
    stand_in.chmod(0o755)
    env = {"PATH": str(bare.tools)}
    out = bare.check(bare.tools / "sh", INSTALL, leash.ca_file, env=env)
    assert "installed, /etc/pki/ca-trust/source/anchors/leash-ca.pem" in out
    assert bare.check("cat", "/etc/pki/tls/certs/ca-bundle.crt") == Path(leash.ca_file).read_text()
    bare.check(bare.tools / "sh", INSTALL, "--uninstall", env=env)
    assert bare.check("cat", "/etc/pki/tls/certs/ca-bundle.crt") == ""


# Variables


def variables_of(script, env):
    done = subprocess.run(["sh", "-c", f'. "{script}"; env'], env={"PATH": os.environ["PATH"], **env}, capture_output=True,
                          text=True, timeout=DEADLINE, check=True)
    assert done.stderr == "", done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_the_environment_files_and_leashctl_env_agree(leash):
    sourced = variables_of(CERTS / "leash-env.sh", {"LEASH_PROXY": "http://10.10.10.1:8080", "LEASH_CA_FILE": leash.ca_file})
    file = dict(line.split("=", 1) for line in (CERTS / "leash.env").read_text().splitlines() if line and line[0] != "#")
    for name, value in file.items():
        if "/etc/ssl" not in value:
            assert sourced[name] == value, name
        else:
            assert sourced[name] == leash.ca_file, name
    assert {name for name in sourced if name not in file} <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "LEASH_PROXY", "LEASH_CA_FILE"}
    from support.leash import LEASHCTL
    printed = subprocess.run([LEASHCTL, "env", "--proxy", "http://10.10.10.1:8080", "--ca-file", leash.ca_file], capture_output=True,
                             text=True, check=True).stdout
    for name, value in re.findall(r"^export (\w+)=(\S+)$", printed, re.MULTILINE):
        assert sourced[name] == value.strip("'"), name
