"""The certificate authority of one emulator run: it signs a certificate for each AWS host that is asked for."""

import datetime
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=1)


class Authority:
    """Writes ``ca.pem`` (what a client must trust) and, on demand, one certificate a parent domain.

    All certificates share one key, so that none but the first host of a domain waits for anything.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulator authority")])
        self.ca = directory / "ca.pem"
        self.key = directory / "key.pem"
        self.key.touch(mode=0o600)
        self.key.write_bytes(
            self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._builder(self._name).add_extension(constraints, critical=True)
        self._sign(certificate, self.ca)

    def certificate(self, host: str) -> Path:
        """The certificate for ``host`` and its siblings, signed now if it is the first of its domain."""
        domain = host.partition(".")[2] or host
        path = self._directory / f"_.{domain}.pem"
        with self._lock:
            if not path.exists():
                names = x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName(f"*.{domain}")])
                usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
                subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulated AWS")])
                leaf = (
                    self._builder(subject)
                    .add_extension(names, critical=False)
                    .add_extension(usage, critical=False)
                )
                self._sign(leaf, path)
        return path

    def _builder(self, subject: x509.Name) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )

    def _sign(self, builder: x509.CertificateBuilder, path: Path) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
