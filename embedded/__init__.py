"""A PostgreSQL server for machines that have none, run from a Python package's binaries in the state folder.

It knows files and processes; the rest of Matinee only sees the URL.
"""
