"""Templates to pages: everything escaped, and a page that can load and send nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import Any


def render(template: str, **values: Any) -> str:
    """Returns a page.

    Its content security policy lets a browser run the one script that belongs to the page, by its hash, and
    load nothing from anywhere: whatever text of a stranger's run might slip through does nothing.

    Args:
        template: name of its file.
        values: by name; texts are escaped.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stylegraft.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    script = environment.get_template("film.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(script=Markup(script), script_hash=digest, **values)
