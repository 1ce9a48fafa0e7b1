"""Roles, scopes and ownership."""

import pytest

from catalog.core.permissions import PERMISSIONS
from catalog.core.roles import Permission, Principal, Role, Scope
from proxy.core.identifiers import TenantName

ACME = TenantName("acme")


def principal(role: Role, *scopes: Scope) -> Principal:
    return Principal("token:a", ACME, role, frozenset(scopes))


def test_each_role_may_what_lesser_roles_may() -> None:
    for permission in PERMISSIONS.values():
        allowed = [principal(role).may(permission) for role in Role]
        assert allowed == sorted(allowed)


def test_a_scope_narrows_a_token_whatever_its_role() -> None:
    write, read = Permission(Role.EDITOR, Scope.WRITE), Permission(Role.VIEWER, Scope.READ)
    assert principal(Role.ADMIN).may(write)
    assert not principal(Role.ADMIN, Scope.READ).may(write)
    assert principal(Role.ADMIN, Scope.READ).may(read)
    assert not principal(Role.VIEWER, Scope.WRITE).may(write)


def test_the_scope_sign_lets_a_lesser_role_sign() -> None:
    sign = PERMISSIONS["POST /api/sign"]
    assert principal(Role.CONTRIBUTOR, Scope.SIGN).may(sign)
    assert not principal(Role.CONTRIBUTOR).may(sign)
    assert not principal(Role.ADMIN, Scope.READ).may(sign)


def test_contributors_change_their_own_and_editors_all() -> None:
    assert principal(Role.CONTRIBUTOR).may_change("token:a")
    assert not principal(Role.CONTRIBUTOR).may_change("token:b")
    assert principal(Role.EDITOR).may_change("token:b")
    assert not principal(Role.VIEWER).may_change("token:a")


def test_nobody_grants_a_role_above_their_own() -> None:
    assert [principal(Role.EDITOR).may_grant(role) for role in Role] == [True, True, True, False, False]


@pytest.mark.parametrize("text", ["Admin", "root", "", "viewer ", "admin\0"])
def test_other_words_are_no_role(text: str) -> None:
    with pytest.raises(ValueError, match="Specify one of: viewer, contributor, editor, admin, operator"):
        Role.parse(text)
    assert Role.parse("admin") is Role.ADMIN
