"""The routes of /api/v1, one module per subject.

A handler parses its request with a model, makes one call and serializes the result.
"""

from web.v1 import (
    event_routes,
    experiment_routes,  # noqa: F401 - it adds to the routes of operators
    generation_routes,
    group_routes,
    import_routes,
    movie_changes,  # noqa: F401 - it adds to the routes of operators
    movie_routes,
    one_movie_routes,  # noqa: F401 - it adds to the routes of movies
    program_routes,
    rating_routes,
    recommendation_routes,
    taste_routes,  # noqa: F401 - it adds to the routes of users
    token_routes,
    training_routes,
    user_routes,
)

BLUEPRINTS = (
    *(user_routes.api, rating_routes.api, rating_routes.marks, import_routes.api, recommendation_routes.api),
    *(group_routes.api, token_routes.api, program_routes.api, movie_routes.api, generation_routes.api),
    *(training_routes.api, training_routes.admin, event_routes.api),
)
