"""The HTTP server, and the worker processes beside server.py."""
