"""Roles and scopes: who may do what. The table of routes is in `catalog.core.permissions`.

Roles are a ladder; each role may do everything that the roles below it may. A scope narrows a token to one kind of
action, whatever its role. The one addition: the scope `sign` also lets a contributor's token sign recipes.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Self

from proxy.core.identifiers import TenantName


class Role(IntEnum):
    """What a principal may do at most, from the least to the most."""

    VIEWER = 1
    """Read, and get URLs of presets."""
    CONTRIBUTOR = 2
    """Upload; change and trash own uploads."""
    EDITOR = 3
    """Change everything of the tenant, sign any recipe, run batches."""
    ADMIN = 4
    """Manage tokens, keys, presets, sources, limits and retention; delete for good."""
    OPERATOR = 5
    """Manage tenants, restore backups; act for any tenant."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the role of that name. Raise ValueError if there is none."""
        try:
            return cls[text.upper()] if text == text.lower() else cls(0)
        except (KeyError, ValueError):
            names = ", ".join(role.label for role in cls)
            raise ValueError(f"{text[:40]!r} is not a role. Specify one of: {names}.") from None

    @property
    def label(self) -> str:
        """The name used in the API, on the command line and in records."""
        return self.name.lower()


class Scope(Enum):
    """A kind of action that a token can be narrowed to."""

    READ = "read"
    UPLOAD = "upload"
    WRITE = "write"
    SIGN = "sign"
    JOBS = "jobs"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route demands: a least role, and the scope that a narrowed token must have."""

    role: Role
    scope: Scope
    scope_suffices: bool = False
    """A token that was given this very scope may call the route with a lesser role (`sign`)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller."""

    subject: str
    """`token:{id}`, `user:{issuer subject}`, `session:{id}` or `cli:{user}`: what `created_by` and audit events say."""
    tenant: TenantName
    role: Role
    scopes: frozenset[Scope] = frozenset()
    """Empty means not narrowed."""

    def may(self, permission: Permission) -> bool:
        """Return whether the principal may do what the permission guards, ownership aside."""
        narrowed_out = bool(self.scopes) and permission.scope not in self.scopes
        if narrowed_out:
            return False
        granted = permission.scope_suffices and permission.scope in self.scopes
        return self.role >= permission.role or granted

    def may_change(self, owner: str) -> bool:
        """Return whether the principal may change an image of `owner`: editors all, contributors their own."""
        return self.role >= Role.EDITOR or (self.role >= Role.CONTRIBUTOR and owner == self.subject)

    def may_grant(self, role: Role) -> bool:
        """Return whether the principal may create a token of that role: nobody grants a role above their own."""
        return role <= self.role
