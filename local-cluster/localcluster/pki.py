"""A certificate authority of the cluster's own, and the certificates that its components show each other."""

import datetime
import ipaddress
import pathlib
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=365)


class Authority:
    """Signs certificates into one folder; what is there already is kept."""

    def __init__(self, folder: pathlib.Path, name: str = "ca") -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.crt"
        self._key_file = folder / f"{name}.key"
        folder.mkdir(parents=True, exist_ok=True)
        if not (self.certificate.exists() and self._key_file.exists()):
            self._make(name)

    def issue(
        self, file: str, user: str, groups: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> tuple[pathlib.Path, pathlib.Path]:
        """The certificate and key files of a user in groups, or of a server under its host names."""
        certificate, key = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        if certificate.exists() and key.exists():
            return certificate, key
        authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        )
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        draft = _draft(subject, authority.subject, private.public_key()).add_extension(
            x509.ExtendedKeyUsage(uses), critical=False
        )
        if names := [_alternative(host) for host in hosts]:
            draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write_key(key, private)
        certificate.write_bytes(draft.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return certificate, key

    def _make(self, name: str) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ferryman-local-cluster-{name}")])
        draft = _draft(subject, subject, private.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        _write_key(self._key_file, private)
        signed = draft.sign(private, hashes.SHA256())
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def key_pair(folder: pathlib.Path, name: str) -> tuple[pathlib.Path, pathlib.Path]:
    """The public and the private key that sign and check service accounts' tokens."""
    public, private = folder / f"{name}.pub", folder / f"{name}.key"
    if not (public.exists() and private.exists()):
        made = ec.generate_private_key(ec.SECP256R1())
        _write_key(private, made)
        public.write_bytes(
            made.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return public, private


def _draft(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(file: pathlib.Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
