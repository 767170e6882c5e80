"""What `models.py` is based on, and the tables of training runs and of what users were shown. No queries."""
