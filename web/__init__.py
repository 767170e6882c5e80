"""HTTP only: parse, one call, serialize. No rule about recommending lives here.

Imports recommender, storage and health; never jobs or engine.
"""
