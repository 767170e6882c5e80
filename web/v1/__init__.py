"""The routes of /api/v1, a module for each subject.

A handler parses by its models, makes one call and serializes; the rules are those of the routes in seed_routes.
"""

from web.v1 import generations, movies, operations, ratings, recommendations, users

BLUEPRINTS = (
    users.api,
    ratings.api,
    recommendations.api,
    movies.api,
    generations.api,
    operations.api,
    operations.admin,
)
