"""The routes of /api/v1, a module for each subject.

A handler parses by its models, makes one call and serializes; the rules are those of the routes in original_routes.
"""

from web.v1 import (
    generation_routes,
    movie_routes,
    rating_routes,
    recommendation_routes,
    training_routes,
    user_routes,
)

BLUEPRINTS = (
    user_routes.api,
    rating_routes.api,
    recommendation_routes.api,
    movie_routes.api,
    generation_routes.api,
    training_routes.api,
    training_routes.admin,
)
