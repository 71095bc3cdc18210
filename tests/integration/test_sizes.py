"""As large as it may get: thousands of hosts, thousands of idle tunnels, in bounded memory. (Bodies of gigabytes:
test_streaming.py.)"""

import resource
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.leash import which
from support.servers import Nginx
from support.wait import DEADLINE, IS_SANITIZED, wait_until


@pytest.fixture(scope="module")
def nginx(pki):
    """One origin for all names; it costs little itself."""
    if which("nginx") is None:
        pytest.skip("nginx is not here")
    with Nginx(pki.issue("*.many.test"), http2=False) as made:
        made.put("small", b"ok")
        yield made


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 5000:
        pytest.skip(f"no more than {hard} descriptors are to be had")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_thousands_of_hosts_in_bounded_memory(make_leash, nginx, dns):
    """Many times what is kept of leaves: the oldest go. A client that keeps few connections, as curl does."""
    if which("curl") is None:
        pytest.skip("curl is not here")
    count, kept = (300, 100) if IS_SANITIZED else (3000, 400)
    dns.records.update({f"h{number}.many.test": ["127.0.0.1"] for number in range(count)})
    leash = make_leash(mode="audit", settings={"limits": {"leaves": kept}})
    done = subprocess.run(["curl", "-sS", "--no-progress-meter", "--fail", "--http1.1", "-Z", "--parallel-max", "8", "-o", "/dev/null", "-w", "%{http_code}\n",
                           f"https://h[0-{count - 1}].many.test:{nginx.port}/small"], env=leash.client_env(),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE * 6)
    assert done.returncode == 0 and done.stdout.split() == [b"200"] * count, done.stderr[-1000:]
    assert leash.peak_mib < (1500 if IS_SANITIZED else 128)
    hosts = {line["host"] for line in leash.log.wait_for(event="allowed", count=count)}
    assert hosts == {f"h{number}.many.test" for number in range(count)}

    # the last host's leaf is still the one it was, the first host's was minted anew
    def serial(number):
        with leash.tunnel(f"h{number}.many.test", nginx.port) as conn:
            return conn.sock.getpeercert()["serialNumber"]
    assert serial(count - 1) == serial(count - 1)
    first, last = serial(0), serial(count - 1)
    subprocess.run(["curl", "-sS", "--http1.1", "-Z", "--no-progress-meter", "-o", "/dev/null", f"https://h[1-{kept + 1}].many.test:{nginx.port}/small"],
                   env=leash.client_env(), stdin=subprocess.DEVNULL, check=True, timeout=DEADLINE * 3)
    assert serial(0) != first
    assert serial(count - 1) != last


def test_thousands_of_idle_tunnels(make_leash, nginx, dns, many_descriptors):
    """A container of 256 MiB must hold 5 000 of them."""
    count = 200 if IS_SANITIZED else 2000
    dns.records["idle.many.test"] = ["127.0.0.1"]
    leash = make_leash(mode="audit", nofile=8192)
    context, authority = leash.context(), f"idle.many.test:{nginx.port}"

    def tunnel(_=None):
        conn = leash.connect()
        assert conn.connect(authority).status == 200
        return conn.start_tls(context, "idle.many.test")
    with ThreadPoolExecutor(4) as pool:
        conns = list(pool.map(tunnel, range(count // 20)))  # what leash has but once, it has now
        before = leash.rss_mib
        conns += pool.map(tunnel, range(count - len(conns)))
    wait_until(lambda: leash.metrics()["leash_tunnels_open"] == len(conns))
    for conn in conns[::100]:
        assert conn.get("/small", authority).body == b"ok"
    per_tunnel_kib = (leash.rss_mib - before) * 1024 / (count - count // 20)
    if not IS_SANITIZED:
        assert per_tunnel_kib < 40, per_tunnel_kib
    for conn in conns:
        conn.close()
    leash.log.wait_for(event="tunnel_closed", count=len(conns))
