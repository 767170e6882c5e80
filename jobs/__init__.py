"""Work that no request waits for: filling the catalogue, training, and when to do so.

Imports storage, engine and recommender; never web.
"""
