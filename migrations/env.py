"""How Alembic runs here: inside the transaction that `storage.database` opened and locked."""

from alembic import context

from models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
