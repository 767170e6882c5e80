"""MovieLens datasets: download, unpack, detect the format, read movies and ratings.

Every line of a file is checked. Nothing here knows the database or Spark.
"""
