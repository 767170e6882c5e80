"""The operating system: logs, files, ports, processes and memory.

Nothing here knows movies, users or ratings.
"""
