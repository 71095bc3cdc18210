"""Each client version to each origin version, a hundred at once: every answer goes where it belongs, and who does not read
holds back its own origin and nobody else."""

import select
import time

import pytest

from support.h2 import H2Client
from support.leash import which
from support.servers import NodeLegs
from support.wait import DEADLINE, IS_SANITIZED
from support.world import marker

COUNT = 100
MIB = 1 << 20
# What one stream may take up on its way: buffers of leash, of two sockets and of the programs at both ends.
MOST_ON_THE_WAY = 24 * MIB
LIMIT_MIB = 1500 if IS_SANITIZED else 96


@pytest.fixture(scope="module", params=["h1", "h2"])
def origin(request, pki):
    if which("node") is None:
        pytest.skip("node is not here")
    with NodeLegs(pki.issue("legs.test"), request.param) as made:
        yield made


@pytest.fixture(scope="module")
def leash(module_leash, origin):
    patient = {"connect_time": "60s", "origin_handshake_time": "60s"}  # the origin has one thread for a hundred handshakes
    return module_leash(mode="enforce", hosts={"legs.test": "127.0.0.1"}, allow=[{"host": "legs.test", "ports": [origin.port]}],
                        settings={"limits": patient})


class H1Agents:
    """A connection for each request."""

    def __init__(self, leash, origin):
        self.leash, self.origin = leash, origin
        self.authority = f"legs.test:{origin.port}"
        self.context = leash.context()
        self.made = []

    def open(self):
        conn = self.leash.connect()
        assert conn.connect(self.authority).status == 200
        self.made.append(conn.start_tls(self.context, "legs.test"))
        return conn

    def begin(self, path):
        conn = self.open()
        conn.send(f"GET {path} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n")
        return conn

    def begin_upload(self, path, length):
        conn = self.open()
        conn.send(f"PUT {path} HTTP/1.1\r\nHost: {self.authority}\r\nContent-Length: {length}\r\n\r\n")
        return conn

    def upload_what_goes(self, conn, length):
        """Sends until nothing has been taken for a second; how much went."""
        block, sent = memoryview(bytes(65536)), 0
        conn.sock.settimeout(1.0)
        while sent < length and select.select([], [conn.sock], [], 1.0)[1]:
            try:
                sent += conn.sock.send(block[:length - sent])
            except TimeoutError:
                break
        conn.sock.settimeout(DEADLINE)
        return sent

    def upload_more(self, conn, length):
        conn.sock.sendall(bytes(length))

    upload_rest = upload_more

    def answer(self, conn):
        answer = conn.response()
        return answer.status, answer.body

    def hold(self, conn):
        conn.reader.until(b"xxxx")

    def read_on(self, conn, count):
        while count > 0:
            count -= len(conn.reader.some())

    def close(self):
        for conn in self.made:
            conn.close()


class H2Agents:
    """One connection for all."""

    def __init__(self, leash, origin):
        self.authority = f"legs.test:{origin.port}"
        self.conn = leash.tunnel("legs.test", origin.port, alpn=("h2",))
        self.client = H2Client(self.conn)
        self.client.widen(16 * MIB)

    def begin(self, path):
        return self.client.request(self.authority, path)

    def begin_upload(self, path, length):
        return self.client.request(self.authority, path, method="PUT", headers=[("content-length", str(length))], ends=False)

    def upload_what_goes(self, stream, length):
        sent = 0
        while sent < length:
            room = min(self.client.h2.local_flow_control_window(stream), self.client.h2.max_outbound_frame_size, length - sent)
            if room > 0:
                self.client.h2.send_data(stream, bytes(room))
                self.client.flush()
                sent += room
            elif not select.select([self.conn.sock], [], [], 1.0)[0] and not self.conn.sock.pending():
                break
            else:
                self.client.step()
        return sent

    def upload_more(self, stream, length):
        self.client.send_body(stream, bytes(length), ends=False)

    def upload_rest(self, stream, length):
        self.client.send_body(stream, bytes(length))

    def answer(self, stream):
        answer = self.client.response(stream)
        return answer.status, answer.body

    def hold(self, stream):
        self.client.hold(stream)
        self.client.wait(lambda: self.client.responses[stream].body)

    def read_on(self, stream, count):
        self.client.let_go(stream)
        wanted = len(self.client.responses[stream].body) + count
        self.client.wait(lambda: len(self.client.responses[stream].body) >= wanted)

    def close(self):
        self.conn.close()


@pytest.fixture(params=["h1", "h2"])
def agents(request, leash, origin):
    made = (H1Agents if request.param == "h1" else H2Agents)(leash, origin)
    yield made
    made.close()


def test_a_hundred_at_once(leash, origin, agents):
    """The origin answers when all have come, so they are all under way at the same time."""
    word = marker()
    begun = [agents.begin(f"/hold/{word}-{number}/{COUNT}") for number in range(COUNT)]
    for number, one in enumerate(begun):
        assert agents.answer(one) == (200, f"answer {word}-{number}.".encode() * 500)
    lines = leash.log.wait_for(event="allowed", count=COUNT, url=lambda url: url and f"/hold/{word}-" in url)
    assert len({line["url"] for line in lines}) == COUNT
    assert {line["alpn"] for line in lines} == {"h2" if origin.version == "h2" else "http/1.1"}
    assert leash.peak_mib < LIMIT_MIB


def sent_by_origin(agents, word):
    """Once it does not grow any more."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        status, body = agents.answer(agents.begin(f"/sent/{word}"))
        assert status == 200
        if int(body) != last:
            last, since = int(body), time.monotonic()
    return last


def test_who_does_not_read_holds_its_own_origin(leash, origin, agents):
    """A download of a gigabyte that nobody takes: its origin stops, and those beside it get theirs."""
    word = marker()
    slow = agents.begin(f"/chunks/{word}/16384")
    agents.hold(slow)
    beside = [agents.begin(f"/chunks/{word}-{number}/2") for number in range(COUNT - 1)]
    for one in beside:
        assert agents.answer(one) == (200, b"x" * 2 * 65536)
    sent = sent_by_origin(agents, word)
    assert sent < MOST_ON_THE_WAY
    assert leash.peak_mib < LIMIT_MIB
    agents.read_on(slow, sent + MIB)  # it was held, not lost


def test_origin_that_does_not_read_holds_its_own_client(leash, origin, agents):
    word, length = marker(), 512 * MIB if not IS_SANITIZED else 128 * MIB
    slow = agents.begin_upload(f"/sink/{word}/later", length)
    sent = agents.upload_what_goes(slow, length)
    assert sent < MOST_ON_THE_WAY
    for number in range(10):
        one = agents.begin_upload(f"/sink/{word}-{number}/now", MIB // 4)
        agents.upload_rest(one, MIB // 4)
        assert agents.answer(one) == (200, str(MIB // 4).encode())
    assert leash.peak_mib < LIMIT_MIB
    assert agents.answer(agents.begin(f"/release/{word}")) == (200, b"ok")
    agents.upload_more(slow, MIB)
