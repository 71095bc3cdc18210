"""A new process takes the place of the one that serves: nobody is refused, nothing is cut, the log is one."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import support.pace
from support.leash import LEASHCTL
from support.pace import Pace
from support.processes import arguments, descriptors, is_there, keeper_of, signer_of
from support.wait import DEADLINE, IS_SANITIZED, wait_until
from support.world import Way, World

CONNECTIONS = 40 if IS_SANITIZED else 200


@pytest.fixture(scope="module")
def world(pki):
    made = World(pki)
    yield made
    made.close()


class Heirs:
    """The processes that have taken over, and the load on them; ended with the test, however that goes."""

    def __init__(self):
        self.pids = []
        self.places = set()
        self.loads = []

    def load(self, *args):
        self.loads.append(Load(*args))
        return self.loads[-1]

    def upgrade(self, leash, *more, env=None, deadline=DEADLINE * 2):
        """(exit code, pid of the new process or None, what was said) of `leash --upgrade`, in leash's own mount namespace."""
        host, port = leash.address
        command = leash.command_line()
        flags = {"--listen": f"{host}:{port}", "--admin": f"{leash.admin[0]}:{leash.admin[1]}", **dict(zip(more[::2], more[1::2]))}
        for flag, value in flags.items():
            command[command.index(flag) + 1] = value
        environment = dict({key: value for key, value in os.environ.items() if not key.startswith("LEASH_")}, **leash.env)
        environment.update(env or {})
        self.places.add(str(leash.log_path))
        says = leash.directory / f"heir{len(self.pids)}.log"
        with says.open("w") as errors:
            done = subprocess.run(["nsenter", "-m", "-t", str(self.pids[-1] if self.pids else leash.pid)] + command + ["--upgrade"],
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, timeout=deadline)
        found = re.match(rb"process (\d+) serves\n", done.stdout)
        pid = int(found.group(1)) if found else None
        if pid:
            self.pids.append(pid)
        return done.returncode, pid, says.read_text()

    def said(self, leash, number):
        return (leash.directory / f"heir{number}.log").read_text()

    def end(self, pid, number=signal.SIGTERM):
        if is_there(pid):
            os.kill(pid, number)
        wait_until(lambda: not is_there(pid), f"process {pid} ends", DEADLINE * 2)

    def close(self):
        for load in self.loads:
            load.is_over.set()
        # Also one that a failed test knows nothing of: it has this test's log, and was told to take over.
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            words = arguments(pid)
            if pid in self.pids or ("--upgrade" in words and self.places & set(words)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


@pytest.fixture
def heirs():
    made = Heirs()
    yield made
    made.close()


def serving(make_leash, world, **more):
    return make_leash(mode="enforce", args=["--workers", "2"], **world.options(**more))


def verify(leash):
    done = subprocess.run([LEASHCTL, "verify", *map(str, sorted(leash.log_dir.glob("egress.jsonl.seq*"))), str(leash.log_path), "--key",
                           str(leash.ca_dir / "leash-audit-key.pub.pem")], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(leash, world, pace=None):
    return support.pace.ask(leash.address, world.plain_authority, pace)


def ask_in_tunnel(leash, world, pace):
    context = leash.context()
    with leash.connect() as conn:
        conn.send(f"CONNECT {world.tls_authority} HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n")
        pace.has_sent()
        answer = pace.wait(conn.sock, lambda: conn.response("CONNECT"))
        assert answer.status == 200, answer
        conn.sock = context.wrap_socket(conn.sock, server_hostname=world.ALLOWED, suppress_ragged_eofs=False, do_handshake_on_connect=False)
        pace.wait(conn.sock, conn.sock.do_handshake)
        conn.send(f"GET / HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n")
        pace.has_sent()
        return conn.response().status


class Held:
    """A request that an origin keeps until it is released; it keeps its process from ending."""

    def __init__(self, leash, world, path):
        self.gate = threading.Event()
        world.plain.on(path, self.answer)
        self.way = Way(leash, world, "plain")
        self.way.conn.send(f"GET {self.way.target(path)} HTTP/1.1\r\nHost: {self.way.host}\r\n\r\n")
        self.way.conn.reader.until(b"ha")

    def answer(self, exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        self.gate.wait(DEADLINE * 3)
        exchange.send(b"lf")

    def release(self):
        self.gate.set()
        self.way.conn.reader.until(b"lf")
        self.way.conn.close()


class Load:
    """Requests over new connections, without a pause."""

    def __init__(self, leash, world, clients=4, ask=ask):
        self.leash, self.world, self.ask = leash, world, ask
        self.is_over = threading.Event()
        self.served, self.failures = [], []
        self.counts = [0] * clients  # what each has been served
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        while not self.is_over.is_set():
            pace = Pace()
            try:
                status = self.ask(self.leash, self.world, pace)
            except Exception as error:  # pylint: disable=broad-except
                if not pace.excuses(error):
                    self.failures.append(repr(error))
            else:
                self.served.append(status)
                self.counts[number] += 1

    def wait_for_more(self, count=30):
        before = len(self.served)
        wait_until(lambda: len(self.served) > before + count, "clients are served")

    def wait_for_each(self, count=2):
        """Whoever has been served twice has come anew in between."""
        before = list(self.counts)
        wait_until(lambda: all(now >= then + count for now, then in zip(self.counts, before)), "each client is served")

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        assert self.failures == [] and set(self.served) == {200}


def test_nothing_is_refused_cut_or_lost(make_leash, world, heirs):
    """Open exchanges, a long stream and a steady load go through a takeover; then the old process ends by itself."""
    leash = serving(make_leash, world)
    release, streaming = threading.Event(), threading.Event()

    def wait_for_release(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        release.wait(DEADLINE * 3)
        exchange.send(b"lf")

    def stream(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not release.is_set():
            exchange.send(b"4\r\ndata\r\n")
            streaming.set()
            release.wait(0.02)
        exchange.send(b"3\r\nend\r\n0\r\n\r\n")
    world.plain.on("/wait", wait_for_release)
    world.tls.on("/stream", stream)
    ways = [Way(leash, world, "plain") for _ in range(CONNECTIONS)]
    for way in ways:
        way.conn.send(f"GET {way.target('/wait')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
        way.conn.reader.until(b"ha")
    long_one = Way(leash, world, "tunnel")
    long_one.conn.send(f"GET /stream HTTP/1.1\r\nHost: {long_one.host}\r\n\r\n")
    streaming.wait(DEADLINE)
    load = heirs.load(leash, world)
    load.wait_for_more()
    old = leash.pid
    code, new, said = heirs.upgrade(leash)
    assert code == 0 and new, said
    load.wait_for_more()
    assert leash.is_running()
    release.set()
    for way in ways:
        way.conn.reader.until(b"lf")
    long_one.conn.reader.until(b"0\r\n\r\n")
    for way in ways + [long_one]:
        way.conn.close()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    load.wait_for_more()
    load.end()
    # The signer of the new one is its own.
    assert keeper_of(new) and signer_of(new) and keeper_of(old) is None
    heirs.end(new)
    leash.process = None
    lines = leash.log.lines()
    leash.log.check_chain()
    verify(leash)
    starts = [line for line in lines if line["event"] == "start"]
    stops = [line["run"] for line in lines if line["event"] == "stop"]
    assert len(starts) == 2 and starts[1]["takes_over"] == starts[0]["run"] and "open" not in starts[1]
    assert stops == [starts[0]["run"], starts[1]["run"]]
    # Each intent has its outcome, by whichever process.
    intents = {line["id"] for line in lines if line["event"] == "request"}
    outcomes = {line["id"] for line in lines if line["event"] in ("allowed", "error", "blocked")}
    assert intents == outcomes & intents and len(intents) >= CONNECTIONS + 1
    assert not [line for line in lines if line["event"] == "error"]


BAD = [(["--workers", "none"], None, "--workers"), ([], "colour: red\n", "leash.yaml:1"), (["--listen", "192.0.2.1:1"], None, "cannot listen")]


@pytest.mark.parametrize("more,settings,named", BAD, ids=["flag", "settings", "listener"])
def test_a_successor_that_cannot_serve_changes_nothing(make_leash, world, heirs, more, settings, named):
    leash = serving(make_leash, world)
    load = heirs.load(leash, world, 2)
    load.wait_for_more(5)
    if settings:
        (leash.policy / "leash.yaml").write_text(settings)
    code, pid, said = heirs.upgrade(leash, *more)
    assert code != 0 and pid is None and named in said, said
    load.wait_for_more(5)
    load.end()
    if settings:
        (leash.policy / "leash.yaml").unlink()
    # And it can still be upgraded.
    code, pid, said = heirs.upgrade(leash)
    assert code == 0 and pid, said
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    assert ask(leash, world) == 200
    heirs.end(pid)
    leash.process = None
    verify(leash)


def test_tunnels_that_are_being_made_are_not_lost(make_leash, world, heirs):
    """CONNECT, the handshake or the first request is under way in the old process when the new one takes over."""
    leash = serving(make_leash, world)
    load = heirs.load(leash, world, 12, ask_in_tunnel)
    for _ in range(3):
        load.wait_for_more()
        code, pid, said = heirs.upgrade(leash)
        assert code == 0 and pid, said
    load.wait_for_more()
    load.end()
    heirs.end(pid)
    wait_until(lambda: not leash.is_running(), "the first process ends")
    leash.process = None
    verify(leash)


def test_a_successor_with_more_workers_that_fails_loses_nobody(make_leash, world, heirs):
    leash = serving(make_leash, world)
    load = heirs.load(leash, world, 8)
    load.wait_for_more()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        for _ in range(3):
            code, pid, said = heirs.upgrade(leash, "--workers", "8", "--admin", f"127.0.0.1:{busy.getsockname()[1]}")
            assert code != 0 and pid is None, said
    load.wait_for_more()
    code, pid, said = heirs.upgrade(leash, "--workers", "8")
    assert code == 0 and pid, said
    load.wait_for_more()
    load.end()
    heirs.end(pid)
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    leash.process = None
    verify(leash)


def test_without_a_leash_there_is_no_upgrade(make_leash, world, heirs):
    leash = serving(make_leash, world)
    address, admin = leash.address, leash.admin
    leash.stop()
    leash.address, leash.admin = address, admin
    done = subprocess.run(leash.command_line() + ["--upgrade"], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 2 and "no leash to take over from" in done.stderr


class Imposter:
    """In the place of a leash that serves, one that somebody has taken over: speaks as it does and hands over what it likes."""

    def __init__(self, leash, turn, answers=(b"G", b"Y")):
        path = leash.ca_dir / "upgrade.sock"
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(DEADLINE)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.log, self.turn, self.answers, self.heard = leash.log_path, turn, answers, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def is_replaced_by(self, leash):
        done = subprocess.run(leash.command_line() + ["--upgrade"], capture_output=True, text=True, timeout=DEADLINE * 2)
        self.thread.join(DEADLINE)
        return done

    def run(self):
        peer, _ = self.listener.accept()
        peer.settimeout(DEADLINE)
        peer.send(f"Aleash handover 2\nabcd\n{self.log}\n\n\n0\n".encode())
        socket.send_fds(peer, [b"h"], [self.listener.fileno()])
        socket.send_fds(peer, [b"t"], [self.turn])
        peer.send(b"E")
        for answer in self.answers:
            self.heard.append(peer.recv(9))
            if self.heard[-1] not in (b"R", b"S"):
                return
            peer.send(answer)
        self.heard.append(peer.recv(9))


def test_the_key_is_not_opened_for_a_process_that_may_not(make_leash, world, heirs):
    """A confined process can name the key's file (O_PATH) and not open it; its successor does not do it in its place."""
    leash = serving(make_leash, world)
    leash.stop()
    key = os.open(leash.ca_dir / "leash-ca-key.pem", os.O_PATH)
    imposter = Imposter(leash, key)
    done = imposter.is_replaced_by(leash)
    os.close(key)
    assert done.returncode == 2 and "the lock of the log is none" in done.stderr
    assert imposter.heard == [b""]  # not even ready


# As confined as a leash that serves: no files. What it says: whether it could make a socket beside the CA, and what it was told.
CONFINED = """
import ctypes, socket, struct, sys
folder = sys.argv[1]
libc = ctypes.CDLL(None)
attributes = struct.pack("QQQ", (1 << 13) - 1, 0, 0)
rules = libc.syscall(444, attributes, 8, 0)
libc.prctl(38, 1, 0, 0, 0)
if rules < 0 or libc.syscall(446, rules, 0) != 0:
    raise SystemExit("no Landlock")
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    peer.bind(folder + "/heir.1")
    print("bound")
except PermissionError:
    print("refused")
peer.settimeout(20)
peer.connect(folder + "/upgrade.sock")
print(peer.recv(9000))
"""


def test_a_confined_process_does_not_take_the_service(make_leash, world, heirs):
    """A replaced process that somebody has taken over would have it back from its clean successor."""
    leash = serving(make_leash, world)
    done = subprocess.run([sys.executable, "-c", CONFINED, str(leash.ca_dir)], capture_output=True, text=True, timeout=DEADLINE * 2)
    if "no Landlock" in done.stderr:
        pytest.skip("no Landlock in this kernel")
    assert done.stdout.split() == ["refused", "b''"], done.stdout + done.stderr
    wait_until(lambda: "was turned away" in leash.stderr(), "the refusal is told")
    assert ask(leash, world) == 200
    code, pid, said = heirs.upgrade(leash)  # whoever may can
    assert code == 0, said
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    heirs.end(pid)
    leash.process = None


def test_a_successor_that_is_gone_at_once_silences_nothing(make_leash, world):
    """It says that it is ready and dies: syslog, the audit socket and rotation are the old process's as before."""
    leash = serving(make_leash, world)
    leash.stop()
    path = leash.directory / "audit.sock"
    leash.env["LEASH_AUDIT_SOCKET"] = str(path)
    leash.start()
    for number in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as newcomer:
            newcomer.settimeout(DEADLINE)
            newcomer.bind(str(leash.ca_dir / f"heir.{number}"))
            newcomer.connect(str(leash.ca_dir / "upgrade.sock"))
            while newcomer.recv(9000) != b"E":
                pass
            newcomer.send(b"R")
        wait_until(lambda n=number: leash.stderr().count("does not serve; this one goes on") == n + 1, "its end is seen")
    with socket.socket(socket.AF_UNIX) as reader:
        reader.settimeout(DEADLINE)
        reader.connect(str(path))
        wait_until(lambda: leash.metrics()['leash_audit_sink_peers{sink="socket"}'] == 1, "leash has the reader")
        assert ask(leash, world) == 200
        assert b'"event"' in reader.recv(65536)
    leash.stop()
    leash.log.check_chain()


def test_a_successor_that_is_not_given_the_service_ends(make_leash, world, heirs):
    """The old process goes on, so there would be two."""
    leash = serving(make_leash, world)
    leash.stop()
    turn = os.memfd_create("turn")
    imposter = Imposter(leash, turn, (b"G", b"X"))
    done = imposter.is_replaced_by(leash)
    os.close(turn)
    assert done.returncode == 2 and "has given up and goes on" in done.stderr and "the leash that runs goes on" in done.stderr
    assert imposter.heard == [b"R", b"S", b""]
    assert [line["event"] for line in leash.log.lines() if line["event"] != "checkpoint"][-2:] == ["start", "stop"]


@pytest.mark.parametrize("victim", ["old", "new"])
def test_the_log_is_whole_whoever_is_killed(make_leash, world, heirs, victim):
    """While both write, one is killed; the other goes on with the chain, alone."""
    leash = serving(make_leash, world)
    hold = threading.Event()
    asked = threading.Event()

    def wait_for_it(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        asked.set()
        hold.wait(DEADLINE * 3)
        exchange.send(b"lf")
    world.plain.on("/held", wait_for_it)
    way = Way(leash, world, "plain")
    way.conn.send(f"GET {way.target('/held')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"ha")
    load = heirs.load(leash, world)
    load.wait_for_more(10)
    code, new, said = heirs.upgrade(leash)
    assert code == 0 and new, said
    load.wait_for_each()  # so that the old one has none of theirs when it is killed
    if victim == "old":
        leash.process.kill()
        leash.process.wait()
        load.wait_for_more()
        load.end()
        heirs.end(new)
    else:
        load.is_over.set()
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: not is_there(new), "the new one is gone")
        hold.set()
        way.conn.reader.until(b"lf")
        way.conn.close()
        assert leash.wait_for_exit(DEADLINE * 2) == 0
        leash.log.lines()
    hold.set()
    leash.process = None
    leash.log.check_chain()
    verify(leash)


def turn_of(pid):
    """The turn of the log that the process shares, opened anew."""
    turns = [number for number, what in descriptors(pid).items() if "leash-log-turn" in what]
    assert turns, "it has no turn"
    return os.open(f"/proc/{pid}/fd/{turns[0]}", os.O_RDWR)


def test_whoever_keeps_the_turn_stops_nobody_for_good(make_leash, world, heirs):
    """An old process that stands still with the log in its hand: its successor says so, and ends when it is told to."""
    if os.geteuid() != 0:
        pytest.skip("only root opens another process's turn")
    leash = serving(make_leash, world)
    held = Held(leash, world, "/with-the-turn")
    code, pid, said = heirs.upgrade(leash)
    assert code == 0, said
    assert ask(leash, world) == 200
    turn = turn_of(pid)
    fcntl.flock(turn, fcntl.LOCK_EX)
    assert ask(leash, world) == 503
    assert leash.admin_get("/readyz")[0] == 503
    fcntl.flock(turn, fcntl.LOCK_UN)
    wait_until(lambda: leash.admin_get("/readyz")[0] == 200, "the log is written again")
    assert ask(leash, world) == 200
    # Nor does it keep the next one waiting, which leaves everything as it is.
    fcntl.flock(turn, fcntl.LOCK_EX)
    code, none, said = heirs.upgrade(leash)
    assert code == 2 and none is None and "does not let go of it" in said
    heirs.end(pid)
    os.close(turn)
    held.release()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    leash.process = None
    leash.log.check_chain()


def start_beside(leash):
    """An ordinary start, with the flags of the leash that runs."""
    return subprocess.run(leash.command_line(), capture_output=True, text=True, timeout=DEADLINE)


def test_nobody_starts_beside_a_leash_that_lives(make_leash, world, heirs):
    """Not beside one that serves, nor beside one that still finishes what runs: both would write the log."""
    leash = serving(make_leash, world)
    done = start_beside(leash)
    assert done.returncode == 2 and "another leash with this CA runs" in done.stderr and "--upgrade" in done.stderr
    assert ask(leash, world) == 200
    held = Held(leash, world, "/beside")
    code, pid, said = heirs.upgrade(leash)
    assert code == 0, said
    heirs.end(pid, signal.SIGKILL)
    done = start_beside(leash)
    assert done.returncode == 2 and "another leash with this CA runs" in done.stderr
    held.release()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    leash.start()
    assert ask(leash, world) == 200
    leash.stop()
    leash.log.check_chain()
    verify(leash)


def test_without_its_successor_the_old_process_does_not_keep_a_start_waiting(make_leash, world, heirs):
    """upgrade_time is for the time when somebody else serves."""
    leash = make_leash(mode="enforce", settings={"limits": {"drain_time": "100ms", "upgrade_time": "1h"}}, **world.options())
    Held(leash, world, "/kept")
    code, pid, said = heirs.upgrade(leash)
    assert code == 0, said
    assert leash.is_running()
    heirs.end(pid, signal.SIGKILL)
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    leash.start()
    assert ask(leash, world) == 200


def test_two_writers_and_rotation(make_leash, world, heirs):
    """The log is rotated by size while both processes write it."""
    leash = make_leash(mode="enforce", args=["--workers", "2"], env={"LEASH_LOG_MAX_MB": "1"}, **world.options())
    hold = threading.Event()

    def trickle(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        hold.wait(DEADLINE * 3)
        exchange.send(b"lf")
    world.plain.on("/slow", trickle)
    world.plain.on("/big", lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536))
    ways = [Way(leash, world, "plain") for _ in range(6)]
    for way in ways:
        way.conn.send(f"GET {way.target('/slow')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
        way.conn.reader.until(b"ha")
    code, new, said = heirs.upgrade(leash)
    assert code == 0 and new, said

    def grow():
        with leash.connect() as conn:
            conn.get(f"http://{world.plain_authority}/big", world.plain_authority)
        return len(list(leash.log_dir.glob("egress.jsonl.seq*"))) >= 2
    for _ in range(60):
        if grow():
            break
    hold.set()
    for way in ways:
        way.conn.reader.until(b"lf")
        way.conn.close()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    for _ in range(3):
        grow()
    heirs.end(new)
    leash.process = None
    assert len(list(leash.log_dir.glob("egress.jsonl.seq*"))) >= 2
    verify(leash)


def test_upgrades_one_after_the_other(make_leash, world, heirs):
    """The first process still finishes a request when the third one comes."""
    leash = serving(make_leash, world)
    hold = threading.Event()

    def held(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        hold.wait(DEADLINE * 3)
        exchange.send(b"lf")
    world.plain.on("/third", held)
    way = Way(leash, world, "plain")
    way.conn.send(f"GET {way.target('/third')} HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
    way.conn.reader.until(b"ha")
    load = heirs.load(leash, world, 2)
    pids = []
    for _ in range(2):
        code, pid, said = heirs.upgrade(leash)
        assert code == 0 and pid, said
        pids.append(pid)
        load.wait_for_more(10)
    wait_until(lambda: not is_there(pids[0]), "the second one has ended")
    assert leash.is_running()
    load.wait_for_more(10)
    load.end()
    hold.set()
    way.conn.reader.until(b"lf")
    way.conn.close()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    heirs.end(pids[1])
    leash.process = None
    leash.log.check_chain()
    verify(leash)


def test_the_first_of_three_ends_before_the_second(make_leash, world, heirs):
    """The second one still shares the log with the third, whose turn it is as well."""
    leash = serving(make_leash, world)
    first = Held(leash, world, "/of-first")
    code, second_pid, said = heirs.upgrade(leash)
    assert code == 0, said
    second = Held(leash, world, "/of-second")
    code, third_pid, said = heirs.upgrade(leash)
    assert code == 0, said
    first.release()
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    for number in range(2):
        wait_until(lambda n=number: "an old process has ended" in heirs.said(leash, n), "its successors have seen it")
    for _ in range(5):
        assert ask(leash, world) == 200
    second.release()
    wait_until(lambda: not is_there(second_pid), "the second one has ended", DEADLINE * 2)
    for _ in range(5):
        assert ask(leash, world) == 200
    heirs.end(third_pid)
    leash.process = None
    leash.log.check_chain()
    verify(leash)


def test_sockets_with_files_go_on(make_leash, world, heirs):
    leash = serving(make_leash, world)
    leash.stop()
    path = leash.directory / "audit.sock"
    leash.env["LEASH_AUDIT_SOCKET"] = str(path)
    leash.start()
    inode = path.stat().st_ino
    code, pid, said = heirs.upgrade(leash)
    assert code == 0 and pid, said
    assert leash.wait_for_exit(DEADLINE * 2) == 0
    assert path.stat().st_ino == inode
    with socket.socket(socket.AF_UNIX) as reader:
        reader.settimeout(DEADLINE)
        reader.connect(str(path))
        wait_until(lambda: leash.metrics()['leash_audit_sink_peers{sink="socket"}'] == 1, "the new process has the reader")
        assert ask(leash, world) == 200
        assert b'"event"' in reader.recv(65536)
    heirs.end(pid)
    assert not path.exists()
    leash.process = None
