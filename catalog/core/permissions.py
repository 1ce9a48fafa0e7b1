"""Route → least role: the one table. A test walks every route of the application and fails where a row is missing.

`own` marks the routes that a contributor may use for what is their own; the service decides whether it is.
"""

from typing import Final

from catalog.core.roles import Permission, Role, Scope

_READ = Permission(Role.VIEWER, Scope.READ)
_UPLOAD = Permission(Role.CONTRIBUTOR, Scope.UPLOAD)
_OWN = Permission(Role.CONTRIBUTOR, Scope.WRITE)
_WRITE = Permission(Role.EDITOR, Scope.WRITE)
_EDITOR_READ = Permission(Role.EDITOR, Scope.READ)
_SIGN = Permission(Role.EDITOR, Scope.SIGN, scope_suffices=True)
_JOBS = Permission(Role.VIEWER, Scope.READ)
_OWN_JOBS = Permission(Role.CONTRIBUTOR, Scope.JOBS)
_ADMIN = Permission(Role.ADMIN, Scope.ADMIN)
_OPERATOR = Permission(Role.OPERATOR, Scope.ADMIN)

PUBLIC: Final = frozenset({"GET /api", "GET /api/openapi.json", "GET /api/docs", "PUT /api/uploads/{id}/content"})
"""Routes without a principal; an upload's content is guarded by its sealed URL."""

PERMISSIONS: Final[dict[str, Permission]] = {
    # uploads
    "POST /api/images/upload": _UPLOAD,
    "POST /api/images/upload/multiple": _UPLOAD,
    "POST /api/images/import": _UPLOAD,
    "POST /api/uploads": _UPLOAD,
    "POST /api/uploads/{id}/complete": _UPLOAD,
    "DELETE /api/uploads/{id}": _UPLOAD,
    "OPTIONS /api/tus": _UPLOAD,
    "POST /api/tus": _UPLOAD,
    "HEAD /api/tus/{id}": _UPLOAD,
    "PATCH /api/tus/{id}": _UPLOAD,
    "DELETE /api/tus/{id}": _UPLOAD,
    "GET /api/images/by-hash/{sha256}": Permission(Role.CONTRIBUTOR, Scope.READ),
    "HEAD /api/images/by-hash/{sha256}": Permission(Role.CONTRIBUTOR, Scope.READ),
    # images
    "GET /api/images": _READ,
    "GET /api/images/{id}": _READ,
    "GET /api/images/{id}/thumbnails": _READ,
    "GET /api/images/{id}/original": _EDITOR_READ,
    "GET /api/images/serve/{id}": _READ,
    "GET /api/images/{id}/links": _READ,
    "GET /api/images/{id}/duplicates": _READ,
    "PUT /api/images/{id}/metadata": _OWN,
    "PATCH /api/images/{id}/metadata": _OWN,
    "PUT /api/images/{id}/convert": _WRITE,
    "PUT /api/images/{id}/replace": _WRITE,
    "GET /api/images/{id}/versions": _READ,
    "POST /api/images/{id}/versions/{n}/restore": _WRITE,
    "DELETE /api/images/{id}": _OWN,
    "POST /api/images/{id}/restore": _OWN,
    # entities
    "GET /api/images/entity/{type}/{entity_id}": _READ,
    "PUT /api/images/{id}/entities/{type}/{entity_id}": _OWN,
    "DELETE /api/images/{id}/entities/{type}/{entity_id}": _OWN,
    "PUT /api/images/entity/{type}/{entity_id}/order": _WRITE,
    "PUT /api/images/entity/{type}/{entity_id}/primary": _WRITE,
    # signing
    "POST /api/sign": _SIGN,
    # settings and what a tenant names
    "GET /api/presets": _READ,
    "GET /api/presets/{name}": _READ,
    "GET /api/presets/{name}/versions": _READ,
    "POST /api/presets": _ADMIN,
    "PUT /api/presets/{name}": _ADMIN,
    "DELETE /api/presets/{name}": _ADMIN,
    "GET /api/watermarks": _READ,
    "GET /api/watermarks/{name}": _READ,
    "POST /api/watermarks": _ADMIN,
    "PUT /api/watermarks/{name}": _ADMIN,
    "DELETE /api/watermarks/{name}": _ADMIN,
    "GET /api/sources": _ADMIN,
    "GET /api/sources/{id}": _ADMIN,
    "POST /api/sources": _ADMIN,
    "PUT /api/sources/{id}": _ADMIN,
    "DELETE /api/sources/{id}": _ADMIN,
    "GET /api/collections": _READ,
    "GET /api/collections/{id}": _READ,
    "POST /api/collections": _WRITE,
    "PUT /api/collections/{id}": _WRITE,
    "DELETE /api/collections/{id}": _WRITE,
    "GET /api/tokens": _ADMIN,
    "GET /api/tokens/{id}": _ADMIN,
    "POST /api/tokens": _ADMIN,
    "PUT /api/tokens/{id}": _ADMIN,
    "DELETE /api/tokens/{id}": _ADMIN,
    "GET /api/keys": _ADMIN,
    "GET /api/keys/{id}": _ADMIN,
    "POST /api/keys": _ADMIN,
    "DELETE /api/keys/{id}": _ADMIN,
    "GET /api/settings": _ADMIN,
    "PUT /api/settings": _ADMIN,
    # caches
    "POST /api/purge": _ADMIN,
    # jobs
    "GET /api/jobs": _JOBS,
    "GET /api/jobs/{id}": _JOBS,
    "GET /api/jobs/{id}/events": _JOBS,
    "POST /api/jobs/{id}/cancel": _OWN_JOBS,
    "POST /api/jobs/{id}/retry": _OWN_JOBS,
    # audit
    "GET /api/audit": _ADMIN,
    # tenants
    "GET /api/tenants": _OPERATOR,
    "POST /api/tenants": _OPERATOR,
    "GET /api/tenants/{name}": _OPERATOR,
    "PUT /api/tenants/{name}": _OPERATOR,
    "DELETE /api/tenants/{name}": _OPERATOR,
}
"""`METHOD /path` → permission, with the path as the application spells it."""

PERMANENT_DELETION = Permission(Role.ADMIN, Scope.WRITE)
"""`DELETE /api/images/{id}?permanent=true`."""
ANY_RECIPE = Permission(Role.EDITOR, Scope.SIGN, scope_suffices=True)
"""URLs of recipes that are not presets."""
