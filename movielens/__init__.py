"""MovieLens datasets: download, unpack, detect the format, read movies and ratings.

Every line of a file is checked. No module here uses the database or Spark.
"""
