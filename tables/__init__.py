"""The base class of all tables, and the tables of training runs, impressions and experiments. No queries."""
