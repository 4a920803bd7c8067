"""Relays: TURN over UDP, TCP and TLS, with Debian's coturn in between and
aiortc behind it. Skips where coturn is not installed."""
from __future__ import annotations

import asyncio
import datetime
import ipaddress
import shutil
import socket

import pytest

pytest.importorskip("aiortc", reason="aiortc is not installed (pip install aiortc)")

from aiortc.sdp import candidate_from_sdp  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402

from tests.integration.test_rtc_aiortc import Answerer, Probe  # noqa: E402

TURNSERVER = shutil.which("turnserver")
pytestmark = pytest.mark.skipif(not TURNSERVER, reason="coturn is not installed")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def certificate(folder, name: str):
    """A certificate for one DNS name, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turn test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address(name))
             if name[0].isdigit() else x509.DNSName(name)]
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.SubjectAlternativeName(names), False)
            .sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


class Turn:
    def __init__(self, folder, name):
        self.cert, self.key = certificate(folder, name)
        self.port, self.tls_port = free_port(), free_port()
        self.log = folder / "turn.log"
        self.db = folder / "turn.db"
        self.proc = None

    async def __aenter__(self):
        self.proc = await asyncio.create_subprocess_exec(
            TURNSERVER, "-n", "--listening-ip", "127.0.0.1",
            "--relay-ip", "127.0.0.1", "--listening-port", str(self.port),
            "--tls-listening-port", str(self.tls_port), "--cert", str(self.cert),
            "--pkey", str(self.key), "--lt-cred-mech", "--user", "agent:secret",
            "--realm", "test", "--no-cli", "--no-dtls", "--no-rfc5780",
            "--allow-loopback-peers", "--userdb", str(self.db), "-v",
            "--log-file", str(self.log), "--simple-log", "--pidfile", "",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
                return self
            except OSError:
                await asyncio.sleep(0.05)
        raise AssertionError("coturn did not start")

    async def __aexit__(self, *_):
        self.proc.terminate()
        await self.proc.wait()


async def call(probe: Probe, other: Answerer, url: str, credential="secret"):
    """Offer, answer and relay, as signalling would pass them on."""
    offer = await probe.wait(lambda e: e["type"] == "offer")
    probe.tell(type="turn", url=url, username="agent", credential=credential)
    probe.tell(type="answer", id=1, sdp=await other.answer(offer["sdp"]))

    async def trickle():
        told = await probe.wait(lambda e: e["type"] == "candidate", 15)
        candidate = candidate_from_sdp(told["candidate"].removeprefix("candidate:"))
        candidate.sdpMid = "0"
        await other.pc.addIceCandidate(candidate)
    return asyncio.create_task(trickle())


@pytest.mark.parametrize("flag, scheme, transport, pair", [
    ("--relay-only", "turn", "udp", "udp relay"),
    ("--relay-only", "turn", "tcp", "tcp relay"),
    ("--no-udp", "turn", "tcp", "tcp relay"),
    ("--no-udp", "turns", "tcp", "tls relay"),
])
async def test_a_call_goes_through_the_relay(tmp_path, flag, scheme, transport, pair):
    async with Turn(tmp_path, "localhost") as turn:
        probe, other = await Probe.start(flag, "--ca", str(turn.cert)), Answerer()
        try:
            port = turn.tls_port if scheme == "turns" else turn.port
            task = await call(probe, other,
                              f"{scheme}:localhost:{port}?transport={transport}")
            await probe.wait_state("connected", 15)
            await task
            await probe.wait(lambda e: e["type"] == "open")
            probe.tell(type="send", channel="reliable", text="around the corner")
            await probe.wait(lambda e: e["type"] == "message" and
                             e["text"] == "around the corner")
            stats = await probe.wait(lambda e: e["type"] == "stats" and
                                     e.get("rms", 0) > 2000)
            assert stats["pair"].startswith(pair)
        finally:
            await other.pc.close()
            assert await probe.stop() == 0
        await asyncio.sleep(0.3)
        # our end gave the allocation back
        assert "username=<agent>, lifetime=0" in turn.log.read_text()


async def test_an_address_in_the_certificate_is_checked_as_an_address(tmp_path):
    async with Turn(tmp_path, "127.0.0.1") as turn:
        probe, other = await Probe.start("--no-udp", "--ca", str(turn.cert)), Answerer()
        try:
            task = await call(probe, other, f"turns:127.0.0.1:{turn.tls_port}")
            await probe.wait_state("connected", 15)
            await task
        finally:
            await other.pc.close()
            assert await probe.stop() == 0


@pytest.mark.parametrize("name, trusted, why", [
    ("other.test", True, "relay: TLS certificate is for another name"),
    ("localhost", False, "relay: TLS certificate: self-signed certificate"),
])
async def test_a_wrong_certificate_is_refused_with_the_reason(
        tmp_path, name, trusted, why):
    async with Turn(tmp_path, name) as turn:
        flags = ["--ca", str(turn.cert)] if trusted else []
        probe, other = await Probe.start("--no-udp", *flags), Answerer()
        try:
            task = await call(probe, other, f"turns:localhost:{turn.tls_port}")
            failed = await probe.wait_state("failed", 30)
            task.cancel()
            assert why in failed["why"]
        finally:
            await other.pc.close()
            assert await probe.stop() == 0


async def test_a_wrong_password_finds_no_path(tmp_path):
    async with Turn(tmp_path, "localhost") as turn:
        probe, other = await Probe.start("--no-udp", "--ca", str(turn.cert)), Answerer()
        try:
            task = await call(probe, other, f"turns:localhost:{turn.tls_port}", "wrong")
            failed = await probe.wait_state("failed", 30)
            task.cancel()
            assert "no path" in failed["why"]
        finally:
            await other.pc.close()
            assert await probe.stop() == 0
