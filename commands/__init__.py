"""The commands of cli.py, one call each.

Modules that load Spark or take long to load are imported inside the commands that need them.
"""
