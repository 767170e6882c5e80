"""The processes that a service consists of beside the one that server.py is: a trainer, and more that serve.

Each is a module that is run; what starts it and speaks with it is the module beside.
"""
