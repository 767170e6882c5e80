"""Evaluate models: splits, metrics, bootstrap intervals, held-out users and the gate.

Arithmetic only, on top of `ranking`: no files, no database, no network.
"""
