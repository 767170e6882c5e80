"""Serving what is live: a look for a newer generation, and the news of it."""

import logging

from health import Health
from ranking.factors import FactorsError
from recommender import Recommender
from storage.errors import DatabaseUnavailableError, UnknownGenerationError

log = logging.getLogger(__name__)


def refresh(recommender: Recommender, health: Health) -> None:
    """Serve the live generation and report on it; if it cannot be read, what was served before goes on."""
    try:
        recommender.refresh()
        health.report("database", "ready")
    except DatabaseUnavailableError as error:
        health.report("database", "failed", str(error))
    except (FactorsError, UnknownGenerationError) as error:
        if health["generation"].state != "failed":
            log.error("the live generation cannot be served: %s", error)
        served = f"generation {recommender.live.id} is" if recommender.live else "popular movies are"
        health.report("generation", "failed", f"{error}; {served} served")
    else:
        if recommender.live is None:
            health.report("generation", "missing", "no training has been published yet: popular movies are served")
        else:
            health.report("generation", "ready")
