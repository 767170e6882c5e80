"""What a bare machine lacks: an embedded PostgreSQL, a Java, a dataset.

Imports only settings and scoring; knows nothing of Spark, Flask or the tables.
"""
