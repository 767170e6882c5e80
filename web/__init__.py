"""HTTP only: parse, make one call, serialize. No rule about recommending belongs here.

Imports recommender, storage, health and the log's request id; never jobs or engine.
"""
