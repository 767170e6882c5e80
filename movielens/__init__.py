"""MovieLens datasets: download, unpack, detect the format, read movies and ratings.

Every line of a file is checked; nothing here knows the database or Spark.
"""
