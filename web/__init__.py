"""HTTP only: parse, one call, serialize. No rule about recommending lives here.

Imports recommender, storage, health and the log's request id; never jobs or engine.
"""
