"""Ask the running service for its health over HTTP."""

from typing import Any

import requests

from settings import Settings

SECONDS = 15.0
WILDCARD_HOSTS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to, not to listen on


def service_address(settings: Settings) -> str:
    """Return the address, from this machine, of the service that these settings describe."""
    host = WILDCARD_HOSTS.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def service_health(settings: Settings) -> dict[str, Any] | None:
    """Return the state of the service's parts; None if nothing answers, or something that is not Matinee."""
    key = settings.admin_key or settings.api_key
    with requests.Session() as session:
        session.trust_env = False  # no proxy between processes of one machine
        session.headers.update({"X-API-Key": key} if key else {})
        try:
            body = session.get(f"{service_address(settings)}/health/ready", timeout=SECONDS).json()
        except requests.RequestException:
            return None
    return body if isinstance(body, dict) and "parts" in body else None
