"""Which root certificates a client trusts, at a real TLS server on this machine."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from inventory.aws import amazon_roots
from inventory.aws.clients import dynamodb_client
from inventory.aws.fast_session import MODELS
from tools import sdk_models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Authority:
    """A root, and the certificate of a server on this machine that it stands for."""

    root: str
    server: str

    @classmethod
    def new(cls, name: str) -> Authority:
        key, servers_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = certificate(name, key.public_key(), name, key, x509.BasicConstraints(ca=True, path_length=None))
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        servers = certificate("server", servers_key.public_key(), name, key, address)
        written = servers_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(text(root), written.decode() + text(servers))


def certificate(name: str, key: Any, issuer: str, issuers_key: Any, extension: Any) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=True)
        .sign(issuers_key, hashes.SHA256())
    )


def text(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Tables(BaseHTTPRequestHandler):
    """Answers every call with an empty reply."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_POST(self) -> None:
        type(self).calls += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


AMAZON, OTHER, UNKNOWN = (Authority.new(name) for name in ("Amazon's", "another", "unknown"))


NAMING_ROOTS = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's roots are one of the two that the SDK trusts."""
    for name, roots in (("AMAZON", AMAZON.root), ("ALL", AMAZON.root + OTHER.root)):
        file = tmp_path / f"{name}.pem"
        file.write_text(roots)
        monkeypatch.setattr(amazon_roots, name, file)
    monkeypatch.setenv("AMAZON_ROOTS", "true")
    for name in NAMING_ROOTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "InventoryAdjustments")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", tmp_path.name)  # a logger of each test's own, that it can read
    monkeypatch.setattr(Tables, "calls", 0)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a server with a certificate of this authority."""
    (tmp_path / "server.pem").write_text(request.param.server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Tables) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def call(client: DynamoDBClient) -> None:
    client.get_item(TableName="table", Key={"pk": {"S": "1"}})


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("server", [AMAZON], indirect=True)
def test_a_server_of_amazon_is_verified_by_amazons_roots_alone(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(amazon_roots, "ALL", tmp_path / "never read")
    client = dynamodb_client(server)

    call(client)

    assert Tables.calls == 1
    assert printed(capsys) == []


@pytest.mark.parametrize("server", [OTHER], indirect=True)
def test_another_server_is_verified_by_all_roots_once_and_for_good(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = dynamodb_client(server)

    for _ in range(3):
        call(client)
        client.close()

    assert Tables.calls == 3
    line, metric = printed(capsys)
    assert (line["level"], line["code"]) == ("WARNING", "amazon_roots_insufficient")
    assert metric["AmazonRootsInsufficient"] == [1.0]


@pytest.mark.parametrize("server", [UNKNOWN], indirect=True)
def test_a_server_that_no_root_stands_for_is_refused(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = dynamodb_client(server)

    for _ in range(2):
        with pytest.raises(SSLError):
            call(client)

    assert Tables.calls == 0
    assert len(printed(capsys)) == 2, "reported once"


@pytest.mark.parametrize("server", [OTHER], indirect=True)
@pytest.mark.parametrize("setting", ["false", "", None])
def test_amazons_roots_are_used_only_where_they_are_asked_for(
    server: str, setting: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is None:
        monkeypatch.delenv("AMAZON_ROOTS")
    else:
        monkeypatch.setenv("AMAZON_ROOTS", setting)

    with pytest.raises(SSLError):  # the SDK's own file knows neither authority
        call(dynamodb_client(server))


@pytest.mark.parametrize("server", [UNKNOWN], indirect=True)
@pytest.mark.parametrize("name", NAMING_ROOTS)
def test_roots_that_an_operator_names_take_precedence(
    server: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "named.pem").write_text(UNKNOWN.root)
    monkeypatch.setenv(name, str(tmp_path / "named.pem"))

    call(dynamodb_client(server))

    assert Tables.calls == 1
    assert printed(capsys) == []


@pytest.mark.parametrize("server", [OTHER], indirect=True)
def test_other_partitions_trust_all_roots(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(amazon_roots, "_PARTITION", "another partition")

    call(dynamodb_client(server))

    assert printed(capsys) == []


def test_the_tool_refuses_where_a_root_is_missing() -> None:
    lying = (MODELS / "amazon-roots.pem").read_text(encoding="utf-8")
    _, _, others = lying.partition("# Amazon Root CA 2")

    assert sdk_models._amazon_roots(lying) == lying
    with pytest.raises(ValueError, match="Amazon Root CA 1"):
        sdk_models._amazon_roots(others)
