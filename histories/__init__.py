"""Files in which people bring what they have watched: read into rows, and the rows matched to movies of the catalogue.

No I/O beyond the bytes that are given, and no database.
"""
