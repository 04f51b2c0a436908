"""Run by alembic: migrates on the connection, and in the transaction, that `shopbot.database` hands over."""

from alembic import context

from shopbot.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
