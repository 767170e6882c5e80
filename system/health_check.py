"""`python -m system.health_check`: exit status 0 if the service on this machine can answer recommendations, else 1.

For what looks after a process and has no HTTP client of its own, as a container's HEALTHCHECK.
"""

import http.client
import sys

from settings import load

SECONDS = 2.0


def why_not_ready(port: int) -> str | None:
    """Return why the service on this port is not ready; None if it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return None if answer.status == 200 else answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers on port {port}: {error}"
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(why_not_ready(load().port))
