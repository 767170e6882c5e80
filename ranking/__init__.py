"""The arithmetic of the model: numpy arrays in, numpy arrays out.

No module here uses files, clocks, a database or the network. Spark's executors get a copy of this folder.
"""
