"""A client of the running service over HTTP."""

from dataclasses import dataclass
from typing import Any

import requests

from settings import OperatorError, Settings

SECONDS = 15.0  # more than the service takes to say that a training cannot begin
WILDCARD_HOSTS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to, not to listen on


class ServiceRefusedError(OperatorError):
    """The service refuses a request; the message is its reason."""


@dataclass(frozen=True)
class ServiceClient:
    """A client of the service that these settings describe, whether it runs or not."""

    settings: Settings

    @property
    def address(self) -> str:
        """Return its address from this machine."""
        host = WILDCARD_HOSTS.get(self.settings.host, self.settings.host)
        return f"http://[{host}]:{self.settings.port}" if ":" in host else f"http://{host}:{self.settings.port}"

    def health(self) -> dict[str, Any] | None:
        """Return the state of its parts; None if nothing answers, or something that is not Matinee."""
        _, body = self._ask("GET", "/health/ready")
        return body if isinstance(body, dict) and "parts" in body else None

    def retraining(self) -> dict[str, Any]:
        """Return the training run under way or the last one, and the time of the next. Raises `ServiceRefusedError`."""
        return dict(self._answer("GET", 200)[1])

    def request_training(self) -> int | None:
        """Request a training; return the run's id, or None while another is under way. Raises `ServiceRefusedError`."""
        status, body = self._answer("POST", 202, 409)
        return int(body["run_id"]) if status == 202 else None

    def _answer(self, method: str, *expected: int) -> tuple[int, Any]:
        """Return status and body of a request to /api/v1/retrain. Raises `ServiceRefusedError` for other statuses."""
        status, body = self._ask(method, "/api/v1/retrain")
        if status == 0:
            raise ServiceRefusedError(f"{self.address} has stopped answering. Try again, or see its log.")
        if status not in expected:
            problem = body if isinstance(body, dict) else {}
            reason = problem.get("detail") or problem.get("title") or "nothing more"
            raise ServiceRefusedError(f"the service answered {status}: {reason}")
        return status, body

    def _ask(self, method: str, path: str) -> tuple[int, Any]:
        """Return status and JSON of the response to a request with the key of the settings; 0 and None without one."""
        key = self.settings.admin_key or self.settings.api_key
        headers = {"X-API-Key": key} if key else {}
        with requests.Session() as session:
            session.trust_env = False  # no proxy between processes of one machine
            try:
                response = session.request(method, self.address + path, headers=headers, timeout=SECONDS)
                return response.status_code, response.json()
            except requests.RequestException:
                return 0, None
