"""Files made from the templates beside this module: scripts, and pages in which text is escaped."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from harmony_core.export.literals import python_literal, r_literal


def render(template: str, **values: Any) -> str:
    """Return a template filled in; a value that it names and does not get is an error.

    In pages every text is escaped. In scripts a value from outside passes the filter ``python`` or
    ``r``, which write it as a literal.
    """
    return _environment().get_template(f"{template}.j2").render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harmony_core.export"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(python=python_literal, r=r_literal, cell=cell, image=image)
    environment.tests["numeric"] = is_numeric
    return environment


def cell(value: Any) -> str:
    """Return a value as a table shows it: numbers rounded, what is not known as a dash."""
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def is_numeric(value: Any) -> bool:
    """Return whether a value stands right in its column, as numbers and unknown ones do."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def image(png: bytes, text: str) -> Markup:
    """Return a PNG as part of a page, at the size that 150 dots per inch mean."""
    data = base64.b64encode(png).decode()
    width = int.from_bytes(png[16:20], "big") * 96 // 150
    tag = Markup('<img src="data:image/png;base64,{}" width="{}" alt="{}">')
    return tag.format(data, width, text)
