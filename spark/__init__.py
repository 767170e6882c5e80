"""Spark: sessions, ALS fits, clusters, work files, and a Java to run it on.

Only `engine.py` and this folder import pyspark. Nothing here knows the database or HTTP.
"""
