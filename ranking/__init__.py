"""The arithmetic of recommending: numpy arrays in, numpy arrays out.

Nothing here reads a file, a clock, a database or the network. Spark's executors get a copy of this folder.
"""
