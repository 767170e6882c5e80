"""Movies in memory: the movie table, filters, browsing and title search, and the generations that rank them for a user.

Arrays and text only: no files, no database, no network.
"""
