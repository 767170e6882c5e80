"""The commands of cli.py, one call each.

What loads Spark or takes long to load is imported inside a command, since most commands do without.
"""
