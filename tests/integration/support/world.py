"""Two hosts, one allowed and one denied, each over TLS and in the clear."""

import itertools

from .origin import Origin

_numbers = itertools.count(1)


def marker():
    """A word that no other request has."""
    return f"m{next(_numbers)}x"


class World:
    ALLOWED, DENIED = "allow.test", "deny.test"

    def __init__(self, pki):
        self.pki = pki
        self.tls = Origin(pki.issue(self.ALLOWED, "sub.allow.test", addresses=["127.0.0.1"]))
        self.plain = Origin()
        self.denied_tls = Origin(pki.issue(self.DENIED))
        self.denied_plain = Origin()

    @property
    def hosts(self):
        return {name: "127.0.0.1" for name in (self.ALLOWED, self.DENIED, "sub.allow.test", "other.test")}

    @property
    def allow(self):
        return [{"host": self.ALLOWED, "ports": [self.tls.port, self.plain.port]}]

    @property
    def block(self):
        return [{"host": self.DENIED}]

    def options(self, **more):
        """For Leash: allow.test is allowed, deny.test blocked, both resolve."""
        made = {"allow": self.allow, "block": self.block, "hosts": self.hosts}
        made.update(more)
        return made

    # names with ports

    @property
    def tls_authority(self):
        return f"{self.ALLOWED}:{self.tls.port}"

    @property
    def plain_authority(self):
        return f"{self.ALLOWED}:{self.plain.port}"

    @property
    def denied_tls_authority(self):
        return f"{self.DENIED}:{self.denied_tls.port}"

    @property
    def denied_plain_authority(self):
        return f"{self.DENIED}:{self.denied_plain.port}"

    def saw_nothing_denied(self):
        """No byte, not even a connection, has reached the denied host."""
        return self.denied_tls.connections == 0 and self.denied_plain.connections == 0

    def close(self):
        for origin in (self.tls, self.plain, self.denied_tls, self.denied_plain):
            origin.close()


class Way:
    """A connection on which requests for allow.test can be written: in a tunnel, or plain to the proxy."""

    def __init__(self, leash, world, via):
        self.leash = leash
        self.origin = world.tls if via == "tunnel" else world.plain
        self.host = world.tls_authority if via == "tunnel" else world.plain_authority
        self.prefix = "" if via == "tunnel" else f"http://{self.host}"
        self.conn = leash.tunnel(world.ALLOWED, world.tls.port) if via == "tunnel" else leash.connect()

    def target(self, path):
        return self.prefix + path

    def fill(self, text, word):
        return (text.replace("{T}", self.target(f"/{word}")).replace("{H}", self.host).replace("{M}", word))

    def legal(self):
        answer = self.conn.get(self.target("/legal"), self.host)
        assert (answer.status, answer.body) == (200, b"ok")
