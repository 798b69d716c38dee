"""The flame graph page: one HTML file that needs no network, one tab per capture, and a table that needs no JavaScript.

The page's parts lie beside this file as assets (flamegraph.html.in, .css, .js). Everything that comes from a profile is
escaped twice over: as HTML in the text, as `\\uXXXX` in the data block, where `</script>` would end it. A Content-Security-Policy that
allows these two blocks by their hash, and nothing else, makes a hole in that harmless as well.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dualmem_cli.profile.annotation import Annotation
from dualmem_cli.profile.annotation_section import render_annotation
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.counts_section import render_counts
from dualmem_cli.profile.folded import Profile, half_width
from dualmem_cli.profile.frames import Kind, kind_of, split_place
from dualmem_cli.profile.tree import FunctionShare, call_tree, function_shares

TABLE_ROWS = 30
KINDS = tuple(Kind)
_PLACE = re.compile(r"@@([A-Z_]+)@@")


def render_page(
    profiles: Sequence[Profile],
    *,
    title: str,
    subtitle: str,
    counts: Sequence[Counts] = (),
    annotations: Mapping[str, Annotation] | None = None,
    headline: str = "",
) -> str:
    """Render captures of one target as a page: under each graph the annotation of its engine, and counts below all. `headline` is HTML.
    Same profiles, same bytes."""
    known = annotations or {}
    return document(
        title=title,
        subtitle=subtitle,
        headline=headline,
        tabs=[profile.engine for profile in profiles],
        tabs_label="Sampler",
        sections="".join(
            (
                *(_section(i, profile, known.get(profile.engine)) for i, profile in enumerate(profiles)),
                *map(render_counts, counts),
            )
        ),
        graphs=[_graph(profile) for profile in profiles],
        reading=asset("flamegraph_reading.html.in"),
    )


def document(
    *,
    title: str,
    subtitle: str,
    headline: str,
    tabs: Sequence[str],
    tabs_label: str,
    sections: str,
    graphs: Sequence[Mapping[str, Any]],
    reading: str,
) -> str:
    """The page around graphs. `headline`, `sections` and `reading` are HTML; the other texts are escaped here."""
    style, script = asset("flamegraph.css"), asset("flamegraph.js")
    data = {"kinds": [str(kind) for kind in KINDS], "graphs": graphs}
    return fill(
        asset("flamegraph.html.in"),
        {
            "POLICY": f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'",
            "TITLE": html.escape(title),
            "SUBTITLE": html.escape(subtitle),
            "STYLE": style,
            "SCRIPT": script,
            "DATA": _json_block(data),
            "TABS": "".join(_tab(i, name) for i, name in enumerate(tabs)) if len(tabs) > 1 else "",
            "TABS_LABEL": html.escape(tabs_label),
            "HEADLINE": headline,
            "SECTIONS": sections,
            "READING": reading.rstrip("\n"),
        },
    )


def script_source() -> str:
    """What a Content-Security-Policy calls the script of these pages: a page that embeds one has to allow it as well."""
    return f"'{_hash(asset('flamegraph.js'))}'"


def share_text(count: int, samples: int, *, exact: bool = False) -> str:
    """Write a share with its half-width, both in per cent: '41.3 ± 2.1'; alone where everything was counted."""
    share = count / samples if samples else 0.0
    if exact:
        return f"{share * 100:.1f}"
    return f"{share * 100:.1f} ± {half_width(share, samples) * 100:.1f}"


def _graph(profile: Profile) -> dict[str, Any]:
    tree = call_tree(profile)
    return {
        "engine": profile.engine,
        "samples": profile.samples,
        "unit": profile.unit,
        "exact": profile.exact,
        **named_nodes(tree.names),
        "parent": tree.parents,
        "self": tree.self_samples,
    }


def named_nodes(nodes: Sequence[str]) -> dict[str, Any]:
    """The names of a tree's nodes, each once, and which of them each node has. Entry 0 is the root."""
    names = sorted(set(nodes[1:]))
    index = {name: i + 1 for i, name in enumerate(names)}
    parts = [split_place(name) for name in names]
    return {
        "names": ["all", *(name for name, _ in parts)],
        "places": ["", *(place for _, place in parts)],
        "kinds": [KINDS.index(Kind.RUNTIME), *(KINDS.index(kind_of(name)) for name in names)],
        "name": [0, *(index[name] for name in nodes[1:])],
    }


def _tab(number: int, name: str) -> str:
    selected = "true" if number == 0 else "false"
    return (
        f'<button type="button" role="tab" id="tab-{number}" aria-controls="panel-{number}" aria-selected="{selected}" '
        f'tabindex="{0 if number == 0 else -1}">{html.escape(name)}</button>'
    )


def _section(number: int, profile: Profile, annotation: Annotation | None) -> str:
    functions = function_shares(profile)
    return fill(
        asset("flamegraph_section.html.in"),
        {
            "NUMBER": str(number),
            "ENGINE": html.escape(profile.engine),
            "LINE": html.escape(profile.line()),
            "NOTES": "".join(f'<p class="note">{html.escape(note)}</p>' for note in profile.notes),
            "ROWS": "".join(_row(function, profile) for function in functions[:TABLE_ROWS]),
            "CAPTION": html.escape(_caption(len(functions), profile)),
            "ANNOTATION": render_annotation(annotation) if annotation else "",
        },
    )


def _caption(functions: int, profile: Profile) -> str:
    shown = (
        f"The {TABLE_ROWS} functions with most {profile.unit} of their own, of {functions}"
        if functions > TABLE_ROWS
        else "All functions"
    )
    interval = "" if profile.exact else ", ± half a 95 % interval"
    return f"{shown}. Shares of {profile.samples:,} {profile.unit} in per cent{interval}."


def _row(function: FunctionShare, profile: Profile) -> str:
    name, place = split_place(function.name)
    where = f' <span class="place">{html.escape(place)}</span>' if place else ""
    return (
        f"<tr><td>{share_text(function.self_samples, profile.samples, exact=profile.exact)}</td>"
        f"<td>{share_text(function.samples, profile.samples, exact=profile.exact)}</td>"
        f'<th scope="row" data-frame="{html.escape(function.name)}" data-kind="{kind_of(function.name)}">'
        f"<span class=name>{html.escape(name)}</span>{where}</th></tr>\n"
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace each @@NAME@@ in one pass: a value that holds such a mark stays as it is."""
    return _PLACE.sub(lambda mark: values[mark[1]], template)


def _json_block(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def asset(name: str) -> str:
    """A text that lies beside this file."""
    return importlib.resources.files("dualmem_cli.profile").joinpath(name).read_text("utf-8")
