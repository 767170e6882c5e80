"""Movies in memory: the movie table, filters, browsing and title search.

Arrays and text only: no files, no database, no network.
"""
