"""Background work: filling the catalogue, training, evaluation, and the schedule.

Imports storage, engine and recommender; never web.
"""
