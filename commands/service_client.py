"""A client of the running service over HTTP."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

from settings import OperatorError, Settings

SECONDS = 15.0  # more than the service takes to say that a training cannot begin
WILDCARD_HOSTS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to, not to listen on


class ServiceRefusedError(OperatorError):
    """The service refuses a request; the message is its reason."""


@dataclass(frozen=True)
class ServiceReply:
    """The status and the body of a response."""

    status: int
    body: Any

    @property
    def reason(self) -> str:
        """Return the reason in an error response."""
        told = self.body if isinstance(self.body, dict) else {}
        return f"the service answered {self.status}: {told.get('detail') or told.get('title') or 'nothing more'}"


@dataclass(frozen=True)
class ServiceClient:
    """A client of the service that these settings describe, whether it runs or not."""

    settings: Settings

    @property
    def address(self) -> str:
        """Return its address from this machine."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.settings.port}"

    @property
    def _host(self) -> str:
        return WILDCARD_HOSTS.get(self.settings.host, self.settings.host)

    def health(self) -> dict[str, Any] | None:
        """Return the state of its parts; None if nothing answers, or something that is not Matinee."""
        reply = self.ask("GET", "/health/ready")
        told = reply.body if reply else None
        return told if isinstance(told, dict) and "parts" in told else None

    def retraining(self) -> dict[str, Any]:
        """Return the training run under way or the last one, and the time of the next. Raises `ServiceRefusedError`."""
        reply = self._answer("GET", "/api/v1/retrain")
        if reply.status != http.client.OK:
            raise ServiceRefusedError(reply.reason)
        return dict(reply.body)

    def request_training(self) -> int | None:
        """Request a training; return the run's id, or None while another is under way. Raises `ServiceRefusedError`."""
        reply = self._answer("POST", "/api/v1/retrain")
        if reply.status == http.client.CONFLICT:
            return None
        if reply.status != http.client.ACCEPTED:
            raise ServiceRefusedError(reply.reason)
        return int(reply.body["run_id"])

    def _answer(self, method: str, path: str) -> ServiceReply:
        reply = self.ask(method, path)
        if reply is None:
            raise ServiceRefusedError(f"{self.address} has stopped answering. Try again, or see its log.")
        return reply

    def ask(self, method: str, path: str) -> ServiceReply | None:
        """Return its response to a request with the keys of the settings; None without one."""
        connection = http.client.HTTPConnection(self._host, self.settings.port, timeout=SECONDS)
        key = self.settings.admin_key or self.settings.api_key
        try:
            connection.request(method, path, headers={"X-API-Key": key} if key else {})
            answer = connection.getresponse()
            return ServiceReply(answer.status, json.loads(answer.read()))
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
