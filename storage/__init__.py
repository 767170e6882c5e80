"""Everything durable, and all the SQL there is.

Functions take `db`, a SQLAlchemy connection, first; who calls them decides on the transaction.
"""
