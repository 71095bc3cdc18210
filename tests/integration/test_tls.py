"""Both TLS legs: the leaf that agents see, the origins that are believed, and what is told when either fails
(docs/THREATS.md, TLS)."""

import datetime
import errno
import select
import socket
import ssl
import struct
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from support.client import client_context
from support.origin import Origin, reply, server_context
from support.pki import Pki
from support.wait import DEADLINE, wait_until
from support.world import marker


@pytest.fixture(scope="module")
def leash(module_leash, world):
    allow = world.allow + [{"host": "127.0.0.1", "ports": [world.tls.port]},
                           {"host": "sub.allow.test", "ports": [world.tls.port]}]
    return module_leash(mode="enforce", **world.options(allow=allow))


@pytest.fixture(scope="module")
def ca(leash):
    return x509.load_pem_x509_certificate(open(leash.ca_file, "rb").read())


def leaf_of(conn):
    return x509.load_der_x509_certificate(conn.sock.getpeercert(binary_form=True))


def extension(certificate, oid):
    return certificate.extensions.get_extension_for_oid(oid).value


# The agent's side


def test_leaf_profile(leash, world, ca):
    """60, 61: one exact name, fresh entropy, key identifiers, a week at most, and a key that is not the CA's."""
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        leaf = leaf_of(conn)
    now = datetime.datetime.utcnow()
    assert list(extension(leaf, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)) == [x509.DNSName(world.ALLOWED)]
    assert list(extension(leaf, ExtensionOID.EXTENDED_KEY_USAGE)) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert extension(leaf, ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    assert (extension(leaf, ExtensionOID.AUTHORITY_KEY_IDENTIFIER).key_identifier
            == extension(ca, ExtensionOID.SUBJECT_KEY_IDENTIFIER).digest)
    constraints = leaf.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    assert not constraints.value.ca
    assert leaf.version == x509.Version.v3 and leaf.issuer == ca.subject
    assert leaf.serial_number.bit_length() > 64
    assert leaf.not_valid_after - now <= datetime.timedelta(days=7)
    assert datetime.timedelta(minutes=55) <= now - leaf.not_valid_before <= datetime.timedelta(hours=2)
    assert leaf.not_valid_after <= ca.not_valid_after
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey) and leaf.public_key().curve.name == "secp256r1"
    assert leaf.public_key().public_numbers() != ca.public_key().public_numbers()
    ca.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(leaf.signature_hash_algorithm))
    assert isinstance(leaf.signature_hash_algorithm, (hashes.SHA256, hashes.SHA384))


def test_leaves_have_serials_of_their_own(leash, world):
    serials = set()
    for host in (world.ALLOWED, "sub.allow.test", "127.0.0.1"):
        with leash.tunnel(host, world.tls.port) as conn:
            serials.add(leaf_of(conn).serial_number)
    assert len(serials) == 3


def test_ca_profile(leash, ca):
    assert isinstance(ca.public_key(), ec.EllipticCurvePublicKey)
    constraints = ca.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
    assert constraints.critical and constraints.value.ca
    usage = ca.extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    assert usage.value.key_cert_sign and not usage.value.digital_signature


def test_strict_client_accepts_the_leaf(leash, world):
    """Python 3.13 turns VERIFY_X509_STRICT on by default."""
    context = leash.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.start_tls(context, world.ALLOWED)
        assert conn.get("/", world.tls_authority).status == 200


def test_address_gets_an_address_in_its_leaf(leash, world):
    """57"""
    with leash.tunnel("127.0.0.1", world.tls.port) as conn:  # the client has verified it
        names = list(extension(leaf_of(conn), ExtensionOID.SUBJECT_ALTERNATIVE_NAME))
        assert [str(name.value) for name in names] == ["127.0.0.1"] and isinstance(names[0], x509.IPAddress)
        assert conn.get("/", f"127.0.0.1:{world.tls.port}").status == 200


def test_client_without_sni_gets_the_connect_name(leash, world):
    """64"""
    word = marker()
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.start_tls(leash.context(checks_name=False), None)
        assert [name.value for name in extension(leaf_of(conn), ExtensionOID.SUBJECT_ALTERNATIVE_NAME)] == [world.ALLOWED]
        assert conn.get(f"/{word}", world.tls_authority).status == 200
    assert "sni" not in leash.log.wait_for(event="allowed", url=f"https://{world.tls_authority}/{word}")


@pytest.mark.parametrize("offer,chosen", [((), (None,)), (("http/1.1",), ("http/1.1",)), (("h2", "http/1.1"), ("h2", "http/1.1")),
                                          (("ftp", "http/1.1"), ("http/1.1",))])
def test_alpn_is_the_intersection(leash, world, offer, chosen):
    with leash.tunnel(world.ALLOWED, world.tls.port, alpn=offer) as conn:
        assert conn.sock.selected_alpn_protocol() in chosen


def test_alpn_without_a_protocol_of_ours(leash, world):
    """54: ALPACA."""
    since = leash.log.mark()
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        leash.tunnel(world.ALLOWED, world.tls.port, alpn=("ftp", "imap"))
    leash.log.wait_for(since, event="error", host=world.ALLOWED, reason=lambda reason: reason.startswith("tls_client:"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_modern_versions(leash, world, version):
    context = leash.context()
    context.minimum_version = context.maximum_version = version
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.start_tls(context, world.ALLOWED)
        assert conn.get("/", world.tls_authority).status == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(leash, world):
    """69"""
    context = leash.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    since = leash.log.mark()
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        with pytest.raises(ssl.SSLError):
            conn.start_tls(context, world.ALLOWED)
    leash.log.wait_for(since, event="error", host=world.ALLOWED)


def test_client_that_does_not_trust_us(leash, world, pki):
    """Its alert is on record, by its name."""
    source = "127.0.0.70"  # nobody else's, so its line is no other test's
    with leash.connect(source) as conn:
        conn.connect(world.tls_authority)
        with pytest.raises(ssl.SSLCertVerificationError):
            conn.start_tls(client_context(pki.ca_file), world.ALLOWED)
    line = leash.log.wait_for(event="error", client=source)
    assert line["reason"].startswith("tls_client: ")
    assert (line["host"], line["port"]) == (world.ALLOWED, world.tls.port) and "url" not in line


def test_client_that_leaves_in_the_handshake(leash, world):
    since = leash.log.mark()
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(client_hello(world.ALLOWED)[:40])
    leash.log.wait_for(since, event=lambda event: event in ("error", "tunnel_closed"), host=world.ALLOWED)


class MemoryTls:
    """A client whose records can be cut before they are sent."""

    def __init__(self, context, sni):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=sni)

    def step(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False


def client_hello(sni, context=None):
    context = context or ssl.create_default_context()
    client = MemoryTls(context, sni)
    client.step()
    return client.outgoing.read()


def cut_record(record, size):
    """The handshake message of one record, spread over records of `size` bytes each."""
    body = record[5:]
    return b"".join(record[:3] + struct.pack("!H", len(body[at:at + size])) + body[at:at + size]
                    for at in range(0, len(body), size))


@pytest.mark.parametrize("size,step", [(1, 0), (7, 0), (64, 1), (100_000, 1)],
                         ids=["records of 1", "records of 7", "records of 64 by single bytes", "single bytes"])
def test_client_hello_in_pieces(leash, world, size, step):
    """68: whatever its fragmentation, it is read whole before anything is decided."""
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        client = MemoryTls(leash.context(), world.ALLOWED)
        assert not client.step()
        data = cut_record(client.outgoing.read(), size)
        for at in range(0, len(data), step or len(data)):
            conn.send(data[at:at + (step or len(data))])
        while True:
            client.incoming.write(conn.sock.recv(65536))
            if client.step():
                break
        conn.send(client.outgoing.read())
        client.tls.write(f"GET / HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n".encode())
        conn.send(client.outgoing.read())
        answer = b""
        while not answer:
            client.incoming.write(conn.sock.recv(65536))
            try:
                answer = client.tls.read(65536)
            except ssl.SSLWantReadError:
                pass
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_fragmented_hello_with_a_denied_name(leash, world):
    since = leash.log.mark()
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(cut_record(client_hello(world.DENIED), 1))
        conn.read_to_end()
    leash.log.wait_for(since, reason=lambda reason: reason and "name_mismatch" in reason)


def patched_hello(sni, change):
    """A ClientHello whose server_name extension has been changed; lengths are mended."""
    record = client_hello(sni)
    hello = record[9:]
    at = 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack("!H", hello[at:at + 2])[0]
    at += 1 + hello[at]
    head, extensions = hello[:at], hello[at + 2:]
    out, at = b"", 0
    while at < len(extensions):
        kind, size = struct.unpack("!HH", extensions[at:at + 4])
        body = extensions[at + 4:at + 4 + size]
        if kind == 0:
            body = change(body)
        out += struct.pack("!HH", kind, len(body)) + body
        at += 4 + size
    hello = head + struct.pack("!H", len(out)) + out
    message = b"\x01" + struct.pack("!I", len(hello))[1:] + hello
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def entry(name, kind=0):
    return bytes([kind]) + struct.pack("!H", len(name)) + name


def names(*entries):
    data = b"".join(entries)
    return struct.pack("!H", len(data)) + data


BAD_SNI = {
    "two names": names(entry(b"allow.test"), entry(b"deny.test")),
    "empty name": names(entry(b"")),
    "empty list": names(),
    "NUL inside": names(entry(b"allow.test\x00.deny.test")),
    "not ASCII": names(entry("b\u00fccher.test".encode())),
    "with port": names(entry(b"allow.test:443")),
    "brackets": names(entry(b"[allow.test]")),
    "two trailing dots": names(entry(b"allow.test..")),
    "length beyond the list": b"\x00\x0d\x00\x00\xffallow.test",
    "list beyond the extension": b"\xff\xff\x00\x00\x0aallow.test",
    "bytes behind the list": names(entry(b"allow.test")) + b"xx",
}


@pytest.mark.parametrize("name", BAD_SNI)
def test_bad_server_name(leash, world, name):
    """11, 68: a name that cannot be read is no name of ours."""
    since = leash.log.mark()
    requests = len(world.tls.requests)
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(patched_hello(world.ALLOWED, lambda body: BAD_SNI[name]))
        answer = conn.read_to_end()
        assert answer[:1] in (b"", b"\x15"), answer[:10]  # an alert or nothing, but no ServerHello
    line = leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"), host=world.ALLOWED)
    assert line["reason"]
    # no request can have left; connecting to the origin at CONNECT is leash's affair
    assert len(world.tls.requests) == requests


def test_clean_patched_hello_is_answered(leash, world):
    """The tool above breaks nothing by itself."""
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(patched_hello(world.ALLOWED, lambda body: body))
        assert conn.reader.exactly(1) == b"\x16"


def session_after(leash, host, port, context, session=None):
    """(session, whether it was resumed) after one request through a tunnel."""
    conn = leash.connect()
    assert conn.connect(f"{host}:{port}").status == 200
    conn.sock = context.wrap_socket(conn.sock, server_hostname=host, session=session)
    conn.get("/", f"{host}:{port}")
    was_reused, new = conn.sock.session_reused, conn.sock.session
    conn.close()
    return new, was_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_are_bound_to_the_authority(leash, world, version):
    """66: a session of one name is no session of another."""
    context = leash.context(checks_name=False)
    context.minimum_version = context.maximum_version = version
    session, was_reused = session_after(leash, world.ALLOWED, world.tls.port, context)
    assert not was_reused
    _, was_reused = session_after(leash, "sub.allow.test", world.tls.port, context, session)
    assert not was_reused
    _, was_reused = session_after(leash, world.ALLOWED, world.tls.port, context, session)
    assert was_reused


def test_tickets_do_not_outlive_the_policy(make_leash, world):
    """66: after a change the name is judged by a full handshake."""
    leash = make_leash(mode="enforce", **world.options())
    context = leash.context()
    session, _ = session_after(leash, world.ALLOWED, world.tls.port, context)
    leash.set_allow(world.allow + [{"host": "more.test"}])
    _, was_reused = session_after(leash, world.ALLOWED, world.tls.port, context, session)
    assert not was_reused


def test_existing_mitmproxy_ca_is_used(make_leash, world):
    """Agents keep trusting what they trust: an RSA key with its certificate in one file."""
    leash = make_leash(mode="enforce", starts=False, **world.options())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mitmproxy"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mitmproxy")])
    now = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=2))
                   .not_valid_after(now + datetime.timedelta(days=3650))
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                   .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .sign(key, hashes.SHA256()))
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    path = leash.ca_dir / "mitmproxy-ca.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                       serialization.NoEncryption()) + pem)
    path.chmod(0o600)
    (leash.directory / "agent-ca.pem").write_bytes(pem)
    leash.ca_file = str(leash.directory / "agent-ca.pem")
    leash.start()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert leaf_of(conn).issuer == name
        assert conn.get("/", world.tls_authority).status == 200
    assert not (leash.ca_dir / "leash-ca-key.pem").exists()


# The origin's side


class ClearOrigin(Origin):
    """Answers whatever comes, a ClientHello for instance, in clear text."""

    def serve_connection(self, peer):
        if peer.reader.some():
            peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def origins(pki, world):
    """Origins that must not be believed, and some that must; by name, each with the host it is reached as."""
    other = Pki(pki.directory / "other", "Somebody Else")
    intermediate = pki.intermediate()
    made = {}

    def add(name, certificate=None, host="tls.test", **options):
        made[name] = (Origin(certificate, **options), host)
    add("expired", pki.issue("tls.test", days=(-30, -1)))
    add("not valid yet", pki.issue("tls.test", days=(1, 30)))
    add("another name", pki.issue("tls.other.test"))
    add("self-signed", pki.issue("tls.test", self_signed=True))
    add("unknown root", other.issue("tls.test"))
    add("name in CN only", pki.issue(common_name="tls.test"))
    add("client certificate", pki.issue("tls.test", server_auth=False))
    add("missing intermediate", pki.issue("tls.test", issuer=intermediate))
    add("issued by a leaf", pki.issue("tls.test", issuer=pki.issue("tls.test"), chain=[]))
    add("address as DNS name", pki.issue("127.0.0.1", common_name="127.0.0.1"), host="127.0.0.1")
    add("name for an address", pki.issue("tls.test"), host="127.0.0.1")
    add("star in the middle", pki.issue("t*.test"))
    add("bare star", pki.issue("*"))
    add("star over two labels", pki.issue("*.test"), host="a.b.test")
    add("star for the apex", pki.issue("*.tls.test"))
    old = server_context(pki.issue("tls.test"))
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    add("TLS 1.1", context=old)
    null = server_context(pki.issue("tls.test"))
    null.maximum_version = ssl.TLSVersion.TLSv1_2
    null.set_ciphers("NULL:@SECLEVEL=0")
    add("no encryption", context=null)
    made["no TLS at all"] = (ClearOrigin(), "tls.test")
    good = {}

    def add_good(name, certificate, host="tls.test"):
        good[name] = (Origin(certificate), host)
    add_good("exact", pki.issue("tls.test"))
    add_good("star", pki.issue("*.tls.test"), host="a.tls.test")
    add_good("upper case", pki.issue("TLS.test"))
    add_good("address", pki.issue(addresses=["127.0.0.1"], common_name="x"), host="127.0.0.1")
    add_good("intermediate sent", pki.issue("tls.test", issuer=intermediate, chain=[intermediate.certificate]))
    yield {"bad": made, "good": good}
    for origin, _ in list(made.values()) + list(good.values()):
        origin.close()


BAD_ORIGINS = ["expired", "not valid yet", "another name", "self-signed", "unknown root", "name in CN only",
               "client certificate", "missing intermediate", "issued by a leaf", "address as DNS name",
               "name for an address", "star in the middle", "bare star", "star over two labels", "star for the apex",
               "TLS 1.1", "no encryption", "no TLS at all"]
WORDS = {"expired": "expired", "not valid yet": "not yet valid", "self-signed": "self"}


@pytest.fixture(scope="module")
def judge(module_leash, origins):
    return module_leash(mode="audit", hosts={"tls.test": "127.0.0.1", "a.b.test": "127.0.0.1", "a.tls.test": "127.0.0.1"})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", BAD_ORIGINS)
def test_bad_origin_gets_no_request(judge, origins, name):
    """56-58: verified against the store, the time and the name, in every mode."""
    origin, host = origins["bad"][name]
    word, since = marker(), judge.log.mark()
    with judge.tunnel(host, origin.port) as conn:
        answer = conn.get(f"/{word}", f"{host}:{origin.port}")
        assert answer.status == 502, answer
        assert answer.body.startswith(b"leash: ") and answer.get("content-type") == "text/plain"
    line = judge.log.wait_for(since, event="error", url=f"https://{host}:{origin.port}/{word}")
    assert line["reason"].startswith("tls_server: "), line
    assert WORDS.get(name, "") in line["reason"]
    assert not origin.requests and not origin.saw(word)


@pytest.mark.parametrize("name", ["exact", "star", "upper case", "address", "intermediate sent"])
def test_good_origin(judge, origins, name):
    origin, host = origins["good"][name]
    with judge.tunnel(host, origin.port) as conn:
        assert conn.get("/", f"{host}:{origin.port}").status == 200


@pytest.mark.parametrize("how", ["another name", "expired", "self-signed", "another root", "another key"])
def test_an_origin_that_was_right_is_verified_again(make_leash, make_origin, pki, tmp_path, how):
    """What is remembered of a chain is of that very chain: whoever sits at the same address next has to show its own."""
    name = "again.test"
    now_shows = {"another name": lambda: pki.issue("other.test"), "expired": lambda: pki.issue(name, days=(-20, -1)),
                 "self-signed": lambda: pki.issue(name, self_signed=True),
                 "another root": lambda: Pki(tmp_path / "other", "Test Root").issue(name),
                 "another key": lambda: pki.issue(name)}[how]()
    leash = make_leash(mode="audit", hosts={name: "127.0.0.1"})

    def give_way():
        """An origin that has been asked, and the one that comes after it; None where somebody else was given its port."""
        first = make_origin(pki.issue(name))
        first.on("/", reply(headers=(("Connection", "close"),)))  # so each request has a connection of its own
        for _ in range(2):  # the second one by what is remembered
            with leash.tunnel(name, first.port) as conn:
                assert conn.get("/", f"{name}:{first.port}").status == 200
        assert len(first.requests) == 2 and first.connections >= 2
        first.close()
        try:
            return make_origin(now_shows, port=first.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None
    second = wait_until(give_way, "a port that is still free")
    authority, word = f"{name}:{second.port}", marker()
    with leash.tunnel(name, second.port) as conn:
        status = conn.get(f"/{word}", authority).status
    if how == "another key":
        assert status == 200
        line = leash.log.wait_for(event="allowed", url=f"https://{authority}/{word}")
        assert line["origin_cert"] == now_shows.sha256
    else:
        assert status == 502
        assert leash.log.wait_for(event="error", url=f"https://{authority}/{word}")["reason"].startswith("tls_server: ")
        assert not second.requests


def test_origin_root_is_not_trusted_without_being_told(make_leash, world):
    """--origin-ca adds; without it only the system's store counts."""
    leash = make_leash(mode="enforce", origin_ca=None, **world.options())
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get("/", world.tls_authority).status == 502


def test_our_own_ca_is_no_origin_root(make_leash, pki, world, make_origin):
    """Whoever holds the interception key must not be able to play an origin."""
    leash = make_leash(mode="audit", hosts={"fake.test": "127.0.0.1"})
    key = serialization.load_pem_private_key((leash.ca_dir / "leash-ca-key.pem").read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(open(leash.ca_file, "rb").read())

    class Ours:
        pass
    ours = Ours()
    ours.key, ours.certificate = key, certificate
    origin = make_origin(pki.issue("fake.test", issuer=ours))
    with leash.tunnel("fake.test", origin.port) as conn:
        assert conn.get("/", f"fake.test:{origin.port}").status == 502
    assert not origin.requests


def test_what_is_told_of_the_origin(leash, world):
    """The audit line has the address, the protocol, the certificate's fingerprint, the SNI."""
    word = marker()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        conn.get(f"/{word}", world.tls_authority)
    line = leash.log.wait_for(event="allowed", url=f"https://{world.tls_authority}/{word}")
    assert line["origin_cert"] == world.tls.certificate.sha256
    assert line["addr"] == f"127.0.0.1:{world.tls.port}"
    assert line["sni"] == world.ALLOWED and line["alpn"] == "http/1.1"


def test_origin_sees_the_canonical_sni(leash, world, make_leash, make_origin, pki):
    seen = []
    context = server_context(pki.issue("sni.test"))
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    origin = make_origin(context=context)
    mine = make_leash(mode="audit", hosts={"sni.test": "127.0.0.1"})
    with mine.tunnel("SNI.test.", origin.port, sni="sni.TEST") as conn:
        assert conn.get("/", f"sni.test:{origin.port}").status == 200
    assert set(seen) == {"sni.test"}


def test_origin_that_hangs_up_in_its_handshake(judge):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with judge.tunnel("tls.test", port) as conn:
        conn.send(f"GET /x HTTP/1.1\r\nHost: tls.test:{port}\r\n\r\n")
        listener.settimeout(DEADLINE)
        # it may have been dialled more than once (at CONNECT, and again)
        stop = threading.Event()

        def hang_up():
            while not stop.is_set():
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        assert conn.response().status == 502
        stop.set()
        listener.close()


# The end of a connection


class HandDrivenTls:
    """A client's TLS whose records are seen before they go out."""

    def __init__(self, conn, context, sni):
        self.conn, self.incoming, self.outgoing = conn, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=sni)
        self.until(self.tls.do_handshake)

    def until(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.conn.sock.recv(65536)
                assert data, "the connection ended"
                self.incoming.write(data)

    def flush(self):
        self.conn.send(self.outgoing.read())

    def seal(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def seal_end(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


@pytest.mark.parametrize("more", [b"GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n", b"\x17\x03\x03\x00\x05%.0s%.0sabcde", b"%.0s%.0s" + b"\0" * 70000],
                         ids=["clear", "record", "zeros"])
@pytest.mark.parametrize("asks", [True, False], ids=["behind a request", "alone"])
def test_bytes_behind_the_clients_end_are_nobodys(leash, world, asks, more):
    """close_notify ends what the client says (RFC 8446 s. 6.1); what follows is no request, and does no harm."""
    seen, unseen, since = marker(), marker(), leash.log.mark()
    behind = more % (unseen.encode(), world.tls_authority.encode())
    conn = leash.connect()
    assert conn.connect(world.tls_authority).status == 200
    tls = HandDrivenTls(conn, client_context(leash.ca_file), world.ALLOWED)
    tls.flush()
    request = tls.seal(f"GET /{seen} HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n".encode()) if asks else b""
    conn.send(request + tls.seal_end() + behind)
    conn.read_to_end()
    conn.close()
    if asks:
        world.tls.wait_for(lambda origin: origin.requests_for(f"/{seen}"), "the request before the end")
    leash.log.wait_for(since, event="tunnel_closed")
    with leash.tunnel(world.ALLOWED, world.tls.port) as again:
        assert again.get("/", world.tls_authority).status == 200
    assert not world.tls.saw(unseen) and not world.plain.saw(unseen)


class KeyUpdate:
    """A client's KeyUpdate (RFC 8446 s. 4.6.3) in records of its own making, which no library would cut in two."""

    MESSAGE = b"\x18\x00\x00\x01\x00"

    def __init__(self, key_log, records):
        secret = next(bytes.fromhex(line.split()[2]) for line in open(key_log) if line.startswith("CLIENT_TRAFFIC_SECRET_0 "))
        self.key, self.iv = (self.expand(secret, label, size) for label, size in ((b"key", 16), (b"iv", 12)))
        self.records = records  # that went out under this key

    @staticmethod
    def expand(secret, label, size):
        label = b"tls13 " + label
        return HKDFExpand(hashes.SHA256(), size, struct.pack("!HB", size, len(label)) + label + b"\0").derive(secret)

    def record(self, data):
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.records.to_bytes(12, "big")))
        self.records += 1
        inner = data + b"\x16"  # a handshake message
        header = b"\x17\x03\x03" + struct.pack("!H", len(inner) + 16)
        return header + AESGCM(self.key).encrypt(nonce, inner, header)


def ask_with_half_a_key_update(leash, world, key_log, path):
    context = client_context(leash.ca_file)
    context.keylog_filename = str(key_log)
    conn = leash.connect()
    assert conn.connect(world.tls_authority).status == 200
    tls = HandDrivenTls(conn, context, world.ALLOWED)
    tls.flush()
    assert tls.tls.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    request = tls.seal(f"GET {path} HTTP/1.1\r\nHost: {world.tls_authority}\r\n\r\n".encode())
    update = KeyUpdate(key_log, 1)
    conn.send(request + update.record(KeyUpdate.MESSAGE[:4]))
    return conn, tls, update


def test_half_a_key_update_holds_the_answer_until_it_is_whole(leash, world, tmp_path):
    word = marker()
    conn, tls, update = ask_with_half_a_key_update(leash, world, tmp_path / "keys", f"/{word}")
    leash.log.wait_for(event="allowed", url=f"https://{world.tls_authority}/{word}")
    with leash.tunnel(world.ALLOWED, world.tls.port) as other:  # whatever leash would write, it has written by then
        assert other.get("/", world.tls_authority).status == 200
    if select.select([conn.sock], [], [], 0)[0]:
        tls.incoming.write(conn.sock.recv(65536))
    with pytest.raises(ssl.SSLWantReadError):  # a session ticket at most
        tls.tls.read(65536)
    conn.send(update.record(KeyUpdate.MESSAGE[4:]))
    assert tls.until(lambda: tls.tls.read(65536)).startswith(b"HTTP/1.1 200 ")
    conn.close()


def test_half_a_key_update_holds_the_origin_as_well(make_leash, world, tmp_path):
    """OpenSSL writes nothing while it waits for the rest of such a message; what waits there counts as what any slow reader leaves."""
    word, is_over = marker(), threading.Event()
    leash = make_leash(mode="enforce", settings={"limits": {"exchange_idle_time": "10s"}}, **world.options())

    def endless(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            while True:
                exchange.send(piece)
        finally:
            is_over.set()
    world.tls.on(f"/{word}", endless)
    conn, _, _ = ask_with_half_a_key_update(leash, world, tmp_path / "keys", f"/{word}")
    line = leash.log.wait_for(event="error", url=f"https://{world.tls_authority}/{word}")
    assert line["reason"].startswith("idle_timeout"), line
    assert 200_000 < line["bytes_down"] < 1 << 20
    assert is_over.wait(DEADLINE)
    conn.close()


def test_a_long_answer_goes_on_after_half_a_key_update(leash, world, tmp_path):
    """The origin was held meanwhile, and is let go with the rest."""
    word, size = marker(), 8 << 20
    world.tls.on(f"/{word}", lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size))
    conn, tls, update = ask_with_half_a_key_update(leash, world, tmp_path / "keys", f"/{word}")
    world.tls.wait_for(lambda origin: origin.requests_for(f"/{word}"), "the request")
    for _ in range(3):  # whatever leash has to do first, it has done by then
        with leash.tunnel(world.ALLOWED, world.tls.port) as other:
            assert other.get("/", world.tls_authority).status == 200
    conn.send(update.record(KeyUpdate.MESSAGE[4:]))
    got = 0
    while got < size:
        part = tls.until(lambda: tls.tls.read(65536))
        assert part, f"the end after {got}"
        got += len(part)
    conn.close()


# Splice


@pytest.fixture(scope="module")
def spliced(module_leash, world):
    entries = [dict(world.allow[0], tls="splice")]
    return module_leash(mode="enforce", **world.options(allow=entries))


def spliced_tunnel(leash, world, sni):
    conn = leash.connect()
    assert conn.connect(world.tls_authority).status == 200
    return conn.start_tls(client_context(world.pki.ca_file, checks_name=False), sni)


def test_spliced_host_shows_its_own_certificate(spliced, world):
    word, since = marker(), spliced.log.mark()
    with spliced_tunnel(spliced, world, world.ALLOWED) as conn:
        assert leaf_of(conn).fingerprint(hashes.SHA256()).hex() == world.tls.certificate.sha256
        assert conn.get(f"/{word}", world.tls_authority).status == 200
    line = spliced.log.wait_for(since, event="tunnel_closed")
    assert line["tls"] == "splice" and line["sni"] == world.ALLOWED and line["host"] == world.ALLOWED
    assert line["bytes_up"] > 0 and line["bytes_down"] > 0
    assert not any("url" in other for other in spliced.log.lines())


@pytest.mark.parametrize("sni", ["deny.test", None])
def test_splice_needs_the_right_sni(spliced, world, sni):
    """2, 64"""
    since = spliced.log.mark()
    with pytest.raises((ssl.SSLError, OSError)):
        spliced_tunnel(spliced, world, sni)
    line = spliced.log.wait_for(since, event=lambda event: event in ("error", "blocked"), host=world.ALLOWED)
    assert line["reason"]


def test_splice_carries_tls_only(spliced, world):
    with spliced.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(b"SSH-2.0-x\r\n")
        conn.read_to_end()
    assert not world.tls.saw("SSH-2.0-x")


# Client certificates


@pytest.fixture(scope="module")
def insistent(pki):
    """An origin that takes nobody without a certificate of its root."""
    context = server_context(pki.issue("mtls.test"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca_file)
    with Origin(context=context) as origin:
        yield origin


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_origin_that_wants_a_client_certificate(make_leash, insistent, pki, version):
    """Interception ends the agent's own, and leash has none: the request fails and the log says so. Spliced, it works."""
    insistent.context.minimum_version = insistent.context.maximum_version = version
    entry, seen = {"host": "mtls.test", "ports": [insistent.port]}, len(insistent.requests)
    leash = make_leash(mode="enforce", hosts={"mtls.test": "127.0.0.1"}, allow=[entry])
    authority = f"mtls.test:{insistent.port}"
    with leash.tunnel("mtls.test", insistent.port) as conn:
        assert conn.get("/", authority).status == 502
    line = leash.log.wait_for(event="error", method="GET")
    assert line["host"] == "mtls.test" and line["reason"].startswith("tls_server: the origin sent the alert: ")
    assert line["reason"].endswith(" (it had asked for a client certificate)")
    assert len(insistent.requests) == seen

    leash.set_allow([dict(entry, tls="splice")])
    context = client_context(pki.ca_file)
    context.load_cert_chain(pki.issue("agent.test", server_auth=False).path)
    with leash.connect() as conn:
        assert conn.connect(authority).status == 200
        conn.start_tls(context, "mtls.test")
        assert conn.get("/", authority).status == 200
    assert leash.log.wait_for(event="tunnel_closed", tls="splice")["host"] == "mtls.test"


def test_origin_that_would_like_a_client_certificate(make_leash, pki):
    """One that only asks gets none, and serves."""
    context = server_context(pki.issue("asks.test"))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(pki.ca_file)
    with Origin(context=context) as origin:
        leash = make_leash(mode="audit", hosts={"asks.test": "127.0.0.1"})
        with leash.tunnel("asks.test", origin.port) as conn:
            assert conn.get("/", f"asks.test:{origin.port}").status == 200
