"""A Redis behind TLS: who it says it is counts."""

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from server import real_redis
from server.shared.worlds import eventually, until, world


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path / "redis.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return file


async def tls(redis: real_redis.Redis, certificate: Path) -> asyncio.Server:
    """TLS in front of a Redis."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", redis.port)
        await asyncio.gather(pump(reader, forth), pump(back, writer), return_exceptions=True)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)


async def test_a_redis_that_proves_who_it_is_is_used_and_another_is_not(tmp_path, certificate, capsys):
    with real_redis.running(tmp_path) as redis:
        front = await tls(redis, certificate)
        async with front:
            url = f"rediss://127.0.0.1:{front.sockets[0].getsockname()[1]}"
            async with world(f"{url}?ssl_ca_certs={certificate}") as it:
                await it.remember(7)
                assert await eventually(it, 7) == 7
            async with world(url, up=False) as it:
                await until(lambda: it.store._breaker._wait > 0.3, "two attempts were made")
                assert not it.ledger.up

    assert "certificate verify failed" in capsys.readouterr().err
