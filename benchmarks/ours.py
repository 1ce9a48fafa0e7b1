"""Darkroom's pixel code in this process, without server and sandbox."""

import os
from pathlib import Path

from proxy.core.planning.plan import Plan, Trim
from proxy.core.planning.planner import PlanContext, plan_render
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.pixels.trim import find_content


def develop(file: Path, recipe: str) -> bytes:
    """Return the derivative's bytes."""
    fd = os.open(file, os.O_RDONLY)
    try:
        options, facts = parse(recipe), probe(fd)
        plan = plan_render(options, facts, PlanContext())
        if isinstance(plan, Trim):
            plan = plan_render(options, facts, PlanContext(), find_content(fd, plan))
        if not isinstance(plan, Plan):
            raise TypeError("The plan is not complete after trimming.")
        return render(fd, plan).body
    finally:
        os.close(fd)
