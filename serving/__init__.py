"""What listens, and the processes that serve beside the one that server.py is."""
