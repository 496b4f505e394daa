"""The animation as one HTML file that needs no kernel, no network and nothing beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("flow.js")

_PAGE = """<!doctype html>
<html lang="en" data-scheme="both">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px 20px; background: #FFFFFF; color: #222222; font: 14px/1.4 system-ui, "DejaVu Sans", sans-serif; }}
h1 {{ font-size: 19px; margin: 0 0 10px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #121314; color: #EEEEEE; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<div id="flow"></div>
<noscript>This page needs JavaScript, which it has in itself.</noscript>
<script type="application/json" id="run">{data}</script>
<script type="module">
{script}
const values = JSON.parse(document.getElementById("run").textContent);
const model = {{
  get: (name) => values[name], set: (name, value) => {{ values[name] = value; }},
  on() {{}}, off() {{}}, save_changes() {{}},
}};
render({{ model, el: document.getElementById("flow") }});
</script>
</body>
</html>
"""


def page(title: str, panels: Sequence[Mapping[str, Any]], traits: Mapping[str, Any]) -> str:
    """The page as text.  Names from a scenario stand in it as data only: nothing in them can end the script."""
    data = json.dumps({"_panels": panels, **traits}, ensure_ascii=True, separators=(",", ":"))
    # Inside a string, JSON reads these as the characters themselves, and HTML reads no tag.
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return _PAGE.format(title=html.escape(title), data=data, script=SCRIPT.read_text(encoding="utf-8"))
