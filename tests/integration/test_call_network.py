"""Calls over networks that are not good: loss and jitter, UDP shut, only a
relay over TLS, a server that is ICE lite."""
from __future__ import annotations

import datetime
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import netns
from .caller import Caller
from .conftest import frontdesk_binary
from .lossy import LossyRelay
from .servers import LiveKitServer, livekit_binary

# the namespaces have fixed names: one after the other
pytestmark = pytest.mark.xdist_group("network")
CLINIC = '{"clinic":"practice"}'


def changed(server: LiveKitServer, **lines: str) -> LiveKitServer:
    """The server with other values in its configuration; not started yet."""
    text = server.config.read_text()
    for key, value in lines.items():
        at = next(line for line in text.splitlines() if line.strip().startswith(f"{key}:"))
        text = text.replace(at, at[:len(at) - len(at.lstrip())] + f"{key}: {value}")
    server.config.write_text(text)
    return server


def value(server: LiveKitServer, key: str) -> str:
    line = next(x for x in server.config.read_text().splitlines()
                if x.strip().startswith(f"{key}:"))
    return line.split(":", 1)[1].strip()


async def conversation(caller: Caller) -> None:
    await caller.greeted()
    for phrase, words in (("hours", "eight to five"), ("address", "garden street")):
        said = await caller.say(phrase, wait_quiet=True)
        await caller.hears_words(words, said.end, 9)


async def converse(server: LiveKitServer, job, agent: str) -> None:
    job.wait_for("job.registered", 10)
    caller = Caller(server, agent, metadata=CLINIC)
    try:
        await caller.join()
        await conversation(caller)
    finally:
        print(f"---- {caller.room_name}: {caller.summary()}")
        await caller.leave()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "livekit"
    folder.mkdir()
    made = LiveKitServer(folder)
    yield made
    made.stop()


@pytest.fixture
def far_apart():
    if not netns.try_up():
        pytest.skip("network namespaces may not be made here")
    yield
    netns.down()


class Apart:
    """The server as the job sees it: only through this machine."""

    def __init__(self, server: LiveKitServer):
        self.key, self.secret, self.to = server.key, server.secret, server
        self.forward = netns.Forward(netns.HERE, (netns.SERVER, server.port))
        self.url = f"ws://{netns.HERE}:{self.forward.port}"


async def test_two_percent_loss_and_sixty_ms_jitter(start_frontdesk, tmp_path, providers,
                                                    far_apart, monkeypatch):
    folder = tmp_path / "livekit"
    folder.mkdir()
    monkeypatch.setenv("FRONTDESK_LIVEKIT_SERVER",
                       str(netns.inside(tmp_path, "fd-server", livekit_binary())))
    server = changed(LiveKitServer(folder), node_ip=netns.HERE,
                     bind_addresses=f'["{netns.SERVER}"]', interfaces="{ includes: [fdserver1] }")
    udp = int(value(server, "udp_port"))
    server.url, server.http = (f"{x}://{netns.SERVER}:{server.port}" for x in ("ws", "http"))
    server.start()
    apart = Apart(server)
    voices = netns.Forward(netns.HERE, ("127.0.0.1", int(providers.deepgram_url.split(":")[2])))
    monkeypatch.setenv("FRONTDESK_BINARY",
                       str(netns.inside(tmp_path, "fd-job", str(frontdesk_binary()))))
    relay = LossyRelay((netns.HERE, udp), (netns.SERVER, udp), 0.02, 60)
    try:
        job = start_frontdesk(livekit=apart, agent="lossy",
                              DEEPGRAM_URL=f"ws://{netns.HERE}:{voices.port}",
                              OPENAI_BASE_URL=f"http://{netns.HERE}:{voices.port}/v1")
        await converse(server, job, "lossy")
        print(f"---- relay: {relay.passed} passed, {relay.lost} lost")
        assert relay.lost > 20 and relay.passed > 1000, "the relay was not on the path"
    finally:
        relay.stop()
        apart.forward.stop()
        voices.stop()
        server.stop()


async def test_a_server_that_is_ice_lite(start_frontdesk, tmp_path):
    folder = tmp_path / "lite"
    folder.mkdir()
    server = LiveKitServer(folder, lite=True).start()
    try:
        job = start_frontdesk(livekit=server, agent="lite")
        await converse(server, job, "lite")
    finally:
        server.stop()


async def test_udp_shut_media_goes_over_tcp(start_frontdesk, server):
    server.start()
    job = start_frontdesk(livekit=server, agent="no-udp", FRONTDESK_NO_UDP="1")
    await converse(server, job, "no-udp")
    assert "tcp" in server.text()


def certificate(folder, name: str) -> tuple[str, str]:
    """A certificate for one name, its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def named(tmp_path, monkeypatch):
    """frontdesk runs where turn.example.test is this machine."""
    if not netns.may_mount():
        pytest.skip("a mount namespace may not be made here")
    monkeypatch.setenv("FRONTDESK_BINARY", str(netns.with_hosts(
        tmp_path, str(frontdesk_binary()), turn_example_test="127.0.0.1")))


def with_own_turn(server: LiveKitServer, folder, name: str) -> str:
    """Turns on the server's TURN over TLS and shuts ICE over TCP; returns the
    authority's certificate. The server announces port 443, whatever it has."""
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", 443))
        except OSError:
            pytest.skip("port 443 is not to be had")
    cert, key = certificate(folder, name)
    text = server.config.read_text()
    text = "\n".join("  tcp_port: 0" if "tcp_port:" in line else line
                     for line in text.splitlines())
    text += f"""
turn:
  enabled: true
  domain: turn.example.test
  tls_port: 443
  cert_file: {cert}
  key_file: {key}
  allow_restricted_peer_cidrs: ["127.0.0.0/8"]
  relay_range_start: 30000
  relay_range_end: 30100
"""
    server.config.write_text(text)
    return cert


async def test_udp_shut_only_the_servers_own_turn_over_tls(start_frontdesk, server, tmp_path, named):
    authority = with_own_turn(server, tmp_path, "turn.example.test")
    server.start()
    job = start_frontdesk(livekit=server, agent="turn-tls", FRONTDESK_NO_UDP="1",
                          FRONTDESK_CA_FILE=authority)
    await converse(server, job, "turn-tls")
    assert "relay" in job.text() or "turn" in server.text().lower()


async def test_a_relay_with_a_wrong_certificate_is_not_trusted(start_frontdesk, server, tmp_path, named):
    authority = with_own_turn(server, tmp_path, "another.example.test")
    server.start()
    job = start_frontdesk(livekit=server, agent="turn-bad", FRONTDESK_NO_UDP="1",
                          FRONTDESK_CA_FILE=authority)
    job.wait_for("job.registered", 10)
    caller = Caller(server, "turn-bad", metadata=CLINIC)
    try:
        await caller.join()
        with pytest.raises(AssertionError):
            await caller.greeted(6)
        assert job.alive()
    finally:
        await caller.leave()
