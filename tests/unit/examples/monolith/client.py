"""A plain HTTP client that sends targets, headers and bodies exactly as given."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

TIMEOUT_S = 60
SECRET = "correct horse 9"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def data(self) -> Any:
        return self.json["data"]


class Client:
    """Opens a connection for each request, and sends `token` if there is one."""

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.host = host
        self.port = port
        self.token = token

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | Iterable[bytes] = b""
    ) -> Answer:
        """A body in pieces is sent chunked."""
        connection = HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, target, body or None, authorization | dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    def get(self, target: str) -> Answer:
        return self.ask("GET", target)

    def send(self, method: str, target: str, value: Any) -> Answer:
        """A JSON body."""
        return self.ask(method, target, JSON, json.dumps(value).encode())

    def post(self, target: str, value: Any = None) -> Answer:
        return self.ask("POST", target) if value is None else self.send("POST", target, value)

    @property
    def id(self) -> str:
        """The user's id."""
        return str(self.get("/user/@me").data["id"])

    def patch(self, target: str, value: Any) -> Answer:
        return self.send("PATCH", target, value)

    def delete(self, target: str, value: Any = None) -> Answer:
        return self.ask("DELETE", target) if value is None else self.send("DELETE", target, value)

    def login(self, identity: str, secret: str) -> "Client":
        answer = self.post("/auth/token", {"grantType": "implicit", "identity": identity, "secret": secret})
        assert answer.status == 201, answer.content
        return Client(self.host, self.port, answer.data["accessToken"])


def fresh_name() -> str:
    return f"n{uuid.uuid4().hex[:12]}"
