"""Signing secrets and source credentials are encrypted.

Code before this revision would take an encrypted secret for the secret itself, so it does not work with the schema.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import context, op

from catalog.records.encryption import SecretCipher
from proxy.core.identifiers import TenantName

revision = "0005"
down_revision = "0004"

_SECRET = sa.table("secret", sa.column("id"), sa.column("tenant"), sa.column("secret"), sa.column("fingerprint"))
_SOURCE = sa.table("source", sa.column("tenant"), sa.column("prefix"), sa.column("credentials"))


def upgrade() -> None:
    """Encrypt all values, and move the uniqueness of a tenant's secrets to their fingerprint."""
    with op.batch_alter_table("secret") as table:
        table.alter_column("secret", type_=sa.String(2048), existing_type=sa.String(256), existing_nullable=False)
        table.add_column(sa.Column("fingerprint", sa.String(64), nullable=True))
        table.drop_constraint("uq_secret_tenant_secret", type_="unique")
    cipher, connection = _cipher(), op.get_bind()
    for key in connection.execute(sa.select(_SECRET)).all():
        fingerprint = cipher.fingerprints(TenantName(key.tenant), key.secret)[0]
        values = {"secret": cipher.encrypt(key.secret), "fingerprint": fingerprint}
        connection.execute(_SECRET.update().where(_SECRET.c.id == key.id).values(values))
    _convert_credentials(cipher.encrypt)
    with op.batch_alter_table("secret") as table:
        table.alter_column("fingerprint", existing_type=sa.String(64), nullable=False)
        table.create_unique_constraint("uq_secret_tenant_fingerprint", ["tenant", "fingerprint"])
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0005'")


def downgrade() -> None:
    """Decrypt all values."""
    op.execute("UPDATE schema_compatibility SET oldest_revision = '0004'")
    cipher, connection = _cipher(), op.get_bind()
    for key in connection.execute(sa.select(_SECRET)).all():
        connection.execute(
            _SECRET.update().where(_SECRET.c.id == key.id).values({"secret": cipher.decrypt(key.secret)})
        )
    _convert_credentials(cipher.decrypt)
    with op.batch_alter_table("secret") as table:
        table.drop_constraint("uq_secret_tenant_fingerprint", type_="unique")
        table.drop_column("fingerprint")
        table.alter_column("secret", type_=sa.String(256), existing_type=sa.String(2048), existing_nullable=False)
        table.create_unique_constraint("uq_secret_tenant_secret", ["tenant", "secret"])


def _cipher() -> SecretCipher:
    cipher: SecretCipher = context.config.attributes["cipher"]
    return cipher


def _convert_credentials(convert: Callable[[str], str]) -> None:
    connection = op.get_bind()
    for source in connection.execute(sa.select(_SOURCE)).all():
        connection.execute(
            _SOURCE.update()
            .where(_SOURCE.c.tenant == source.tenant, _SOURCE.c.prefix == source.prefix)
            .values(credentials=convert(source.credentials))
        )
