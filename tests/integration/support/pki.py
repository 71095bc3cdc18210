"""A certificate authority of our own for the origins of the tests."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def now():
    return datetime.datetime.utcnow()


class Certificate:
    """A certificate with its key, in memory and as a PEM file that holds both (chain: issuer's after it)."""

    def __init__(self, certificate, key, path, chain=()):
        self.certificate = certificate
        self.key = key
        self.path = path
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        for link in chain:
            pem += link.public_bytes(serialization.Encoding.PEM)
        pem += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption())
        Path(path).write_bytes(pem)

    @property
    def sha256(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Pki:
    def __init__(self, directory, common_name="Test Root", not_after=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.root = self._make_ca(common_name, None, not_after)
        self.ca_file = str(self.directory / "ca.pem")
        Path(self.ca_file).write_bytes(self.root.certificate.public_bytes(serialization.Encoding.PEM))

    def _path(self):
        self.count += 1
        return str(self.directory / f"{self.count}.pem")

    def _make_ca(self, common_name, issuer, not_after=None):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (x509.CertificateBuilder()
                   .subject_name(name_of(common_name))
                   .issuer_name(issuer.certificate.subject if issuer else name_of(common_name))
                   .public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now() - datetime.timedelta(days=2))
                   .not_valid_after(not_after or now() + datetime.timedelta(days=365))
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                   .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
        certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        return Certificate(certificate, key, self._path())

    def intermediate(self):
        return self._make_ca("Test Intermediate", self.root)

    def issue(self, *names, common_name=None, issuer=None, self_signed=False, days=(-1, 30), server_auth=True,
              addresses=(), chain=()):
        """A leaf for the DNS names (and IP addresses), valid from days[0] to days[1] from now."""
        issuer = issuer or self.root
        key = ec.generate_private_key(ec.SECP256R1())
        subject = name_of(common_name or (names[0] if names else str((list(addresses) or ["leaf"])[0])))
        alternatives = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server_auth else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (x509.CertificateBuilder()
                   .subject_name(subject)
                   .issuer_name(subject if self_signed else issuer.certificate.subject)
                   .public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now() + datetime.timedelta(days=days[0]))
                   .not_valid_after(now() + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                   .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                       key.public_key() if self_signed else issuer.key.public_key()), critical=False))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(key if self_signed else issuer.key, hashes.SHA256())
        return Certificate(certificate, key, self._path(), chain)
