"""Spark: sessions, ALS fits, clusters, session files, and the choice of a Java.

Only `engine.py` and this folder import pyspark. No module here uses the database or HTTP.
"""
