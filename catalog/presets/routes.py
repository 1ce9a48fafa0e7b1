"""Routes of presets."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.change import Change
from catalog.api.conditions import IfMatch, check_if_match, etag_of
from catalog.api.context import Caller, Changing, Context
from catalog.api.fields import Name
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_name, by_number
from catalog.core.errors import PresetNotFound
from catalog.presets import service
from catalog.presets.schemas import PresetCreate, PresetView, PresetWrite, view_of
from catalog.presets.service import Preset
from catalog.records.tenant_lock import lock_tenant
from proxy.core.errors import RecipeError

router = APIRouter(prefix="/api/presets", tags=["presets"])

PresetName = Annotated[Name, Path(description="Name of the preset.")]


@router.get("", summary="List the tenant's presets")
async def list_presets(context: Context, caller: Caller, query: Annotated[PageQuery, Query()]) -> Page[PresetView]:
    """Return the presets in effect, in the order of their names."""
    after = by_name(open_position(context.cursors, query, caller.tenant, "presets"))
    async with context.database.reading() as session:
        presets = await service.list_presets(session, caller.tenant)
    rows = [preset for preset in presets if after is None or preset.name > after][: query.limit + 1]
    cursor = next_cursor(context.cursors, query, caller.tenant, "presets", rows, lambda preset: [preset.name])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{name}", summary="Read one preset", response_model=PresetView)
async def read_preset(context: Context, caller: Caller, name: PresetName) -> Response:
    """Return the version of a preset that is in effect."""
    async with context.database.reading() as session:
        preset = await service.find_preset(session, caller.tenant, name)
    return json_answer(view_of(preset), etag=etag_of(preset.name, preset.version))


@router.get("/{name}/versions", summary="List the versions of a preset")
async def list_preset_versions(
    context: Context, caller: Caller, name: PresetName, query: Annotated[PageQuery, Query()]
) -> Page[PresetView]:
    """Return all versions of a preset, the newest first; those of a deleted one too."""
    kind = f"presets/{name}/versions"
    before = by_number(open_position(context.cursors, query, caller.tenant, kind))
    async with context.database.reading() as session:
        rows = await service.list_versions(session, caller.tenant, name, query.limit + 1, before)
    cursor = next_cursor(context.cursors, query, caller.tenant, kind, rows, lambda preset: [preset.version])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.post("", summary="Create a preset", status_code=201, response_model=PresetView)
async def create_preset(change: Changing, body: PresetCreate) -> Response:
    """Create a preset; a name that is in use is 409. Servers know it within seconds."""

    async def work(session: AsyncSession) -> Response:
        ladder = body.ladder()
        try:
            preset = await service.create_preset(
                session,
                change.principal,
                change.origin,
                body.name,
                body.recipe,
                unsigned=body.unsigned,
                ladder=ladder,
            )
        except RecipeError as error:
            raise body.refused(error) from None
        return _created(preset)

    return await change.run(work)


@router.put(
    "/{name}",
    summary="Create or change a preset",
    response_model=PresetView,
    responses={201: {"model": PresetView, "description": "There was none of this name."}},
)
async def put_preset(change: Changing, name: PresetName, body: PresetWrite, if_match: IfMatch = None) -> Response:
    """Replace the values of a preset, as a new version; with `If-Match` only one that exists."""

    async def work(session: AsyncSession) -> Response:
        before = await _find_locked(session, change, name)
        if if_match is not None and before is None:
            before = await service.find_preset(session, change.principal.tenant, name)
        if before is not None:
            check_if_match(if_match, etag_of(before.name, before.version))
        ladder = body.ladder()
        try:
            preset = await service.put_preset(
                session, change.principal, change.origin, name, body.recipe, unsigned=body.unsigned, ladder=ladder
            )
        except RecipeError as error:
            raise body.refused(error) from None
        if before is None:
            return _created(preset)
        return json_answer(view_of(preset), etag=etag_of(preset.name, preset.version))

    return await change.run(work)


@router.delete("/{name}", summary="Delete a preset", status_code=204)
async def delete_preset(change: Changing, name: PresetName, if_match: IfMatch = None) -> Response:
    """Delete a preset: URLs with it are answered 400 within seconds. Its versions can still be read."""

    async def work(session: AsyncSession) -> Response:
        await lock_tenant(session, change.principal.tenant)
        preset = await service.find_preset(session, change.principal.tenant, name)
        check_if_match(if_match, etag_of(preset.name, preset.version))
        await service.delete_preset(session, change.principal, change.origin, name)
        return no_content()

    return await change.run(work)


async def _find_locked(session: AsyncSession, change: Change, name: str) -> Preset | None:
    """Return the preset in effect, or None; nobody else changes it until the transaction ends."""
    await lock_tenant(session, change.principal.tenant)
    try:
        return await service.find_preset(session, change.principal.tenant, name)
    except PresetNotFound:
        return None


def _created(preset: Preset) -> Response:
    return created(f"/api/presets/{preset.name}", view_of(preset), etag=etag_of(preset.name, preset.version))
