"""A Debian of its own that boots: a debootstrapped root, an overlay for what it writes, systemd-nspawn."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.leash import BUILD, ROOT
from support.wait import wait_until

SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INCLUDE = ["systemd", "systemd-sysv", "dbus", "nftables", "iproute2", "procps", "ca-certificates", "curl", "openssl", "python3-yaml",
           "bash-completion"]
BOOT_SECONDS = 180


def why_not():
    """What keeps this host from booting machines; None where nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("debootstrap", "systemd-nspawn", "nft", "ip", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is not here"
    return None


def library_packages(programs):
    """The packages of the shared libraries that the programs need, as this host has them."""
    files = set()
    for program in programs:
        said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
        files |= {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", said)}
    said = subprocess.run(["dpkg", "-S", *sorted(files)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return sorted({line.split(":")[0] for line in said.splitlines()})


def make_root(directory, programs):
    """debootstrap, once a run."""
    if os.environ.get("LEASH_TEST_DEBIAN"):  # one that was made before, to save the time
        return Path(os.environ["LEASH_TEST_DEBIAN"])
    names = ",".join(INCLUDE + library_packages(programs))
    done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={names}", SUITE, str(directory), MIRROR],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError("debootstrap failed:\n" + done.stdout[-2000:])
    return directory


class Network:
    """A network namespace with a name, and what runs in it."""

    def __init__(self, name):
        self.name = f"leash-{name}-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.ip("link", "set", "lo", "up")

    @property
    def path(self):
        return f"/run/netns/{self.name}"

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def command(self, *words):
        return ["ip", "netns", "exec", self.name, "env", f"PATH={PATH}", *[str(word) for word in words]]

    def run(self, *words, timeout=300, **options):
        return subprocess.run(self.command(*words), text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout, **options)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


class Machine:
    """Boots on the given root. The checkout is /src inside, the built programs are in /programs; both cannot be written."""

    def __init__(self, root, network, binds=()):
        self.root, self.network, self.binds = root, network, list(binds)
        self.directory = Path(tempfile.mkdtemp(prefix="leash-machine-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.nspawn = self.leader = None

    def boot(self):
        for name in ("upper", "work", "merged"):
            (self.directory / name).mkdir(exist_ok=True)
        script = ('mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"; d=$2; shift 2; '
                  'exec systemd-nspawn -D "$d/merged" "$@"')
        command = ["unshare", "-m", "sh", "-ec", script, "sh", str(self.root), str(self.directory), "--quiet", "--boot", "--register=no",
                   "--keep-unit", f"--machine={self.network.name}", "--hostname=leash", "--rlimit=RLIMIT_NOFILE=20000", "--console=pipe",
                   "--resolv-conf=off", "--timezone=off",
                   f"--network-namespace-path={self.network.path}", "--capability=CAP_NET_ADMIN", f"--bind-ro={ROOT}:/src",
                   f"--bind-ro={BUILD}:/programs"] + [f"--bind-ro={here}:{there}" for here, there in self.binds]
        self.console = open(self.directory / "console", "wb")
        self.nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)
        self.leader = wait_until(self.find_leader, lambda: f"init of the machine\n{self.console_text()}", BOOT_SECONDS)
        wait_until(self.is_up, lambda: f"boot\n{self.console_text()}", BOOT_SECONDS)
        return self

    def console_text(self):
        return (self.directory / "console").read_text(errors="replace")[-3000:]

    def find_leader(self):
        """nspawn's child that has a process namespace of its own."""
        assert self.nspawn.poll() is None, self.console_text()
        try:
            children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
            mine = os.readlink("/proc/self/ns/pid")
            for child in children:
                if os.readlink(f"/proc/{child}/ns/pid") != mine and Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        except OSError:
            pass
        return None

    def is_up(self):
        # Most often that is a lack of inotify instances (fs.inotify.max_user_instances), of which a systemd wants five.
        assert self.nspawn.poll() is None, f"the machine ended while it booted: {self.console_text()}"
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def command(self, *words, env=None):
        more = [f"{name}={value}" for name, value in (env or {}).items()]
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "--", "env", "-i", f"PATH={PATH}", "HOME=/root",
                "LC_ALL=C.UTF-8", *more, *[str(word) for word in words]]

    def run(self, *words, env=None, timeout=600, **options):
        return subprocess.run(self.command(*words, env=env), text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout,
                              **options)

    def check(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def setup(self, *options, env=None):
        """setup.sh of the checkout; it must work. Gives what it said."""
        done = self.run("/src/setup.sh", "--programs", "/programs", *options, env=env)
        assert done.returncode == 0, f"setup.sh {options}\n{done.stdout}\n{done.stderr}\n{self.journal()}"
        return done.stdout + done.stderr

    def uninstall(self, *options):
        done = self.run("/src/setup.sh", "--uninstall", "--yes", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def journal(self):
        return self.run("journalctl", "--no-pager", "-n", "60", "-o", "cat").stdout

    def write(self, path, text):
        self.check("sh", "-c", 'mkdir -p "${1%/*}"; printf %s "$2" > "$1"', "sh", path, text)

    def read(self, path):
        return self.check("cat", path)

    def is_active(self, unit):
        return self.run("systemctl", "is-active", unit).stdout.strip() == "active"

    def files(self):
        """What is installed: path -> kind, mode, owner and content, of the folders that an installation touches."""
        script = r"""find /etc /usr/local /usr/share /usr/lib/systemd /lib/systemd /var/lib /var/log -xdev \
            \( -path /var/log/journal -o -path /var/lib/systemd -o -path /etc/mtab -o -path /var/lib/dpkg \) -prune -o -printf '%p\t%y\t%m\t%u:%g\t%l\n'"""
        made = {}
        lines = [line.split("\t") for line in self.check("sh", "-c", script).splitlines()]
        plain = [line[0] for line in lines if line[1] == "f"]
        sums = self.sums(plain)
        for path, kind, mode, owner, link in lines:
            made[path] = (kind, mode, owner, link or sums.get(path, ""))
        return made

    def sums(self, paths):
        """SHA-256 of files, read from outside: the root of the machine's first process is its file system."""
        made = {}
        for path in paths:
            try:
                made[path] = hashlib.sha256(Path(f"/proc/{self.leader}/root{path}").read_bytes()).hexdigest()
            except OSError:
                made[path] = "gone"
        return made

    def reboot(self):
        """Down in order, and up again on the same disk."""
        self.check("systemctl", "start", "--no-block", "poweroff.target")
        self.nspawn.wait(BOOT_SECONDS)
        self.console.close()
        self.nspawn = self.leader = None
        return self.boot()

    def close(self):
        if self.nspawn is not None:
            # No need to wait for an orderly end: the disk goes, too. With the first process of a process namespace all others go;
            # without nspawn alone they would stay.
            if self.leader is not None and self.nspawn.poll() is None:
                os.kill(self.leader, signal.SIGKILL)
            try:
                self.nspawn.wait(30)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
            self.console.close()
            self.nspawn = None
        shutil.rmtree(self.directory, ignore_errors=True)
