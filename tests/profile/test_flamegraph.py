"""The page as text: self-contained, inert whatever the names are, and right without JavaScript."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest
from flame_page import HOSTILE, Page

from dualmem_cli.profile.flamegraph import render_page, share_text
from dualmem_cli.profile.folded import Profile


def hostile(profile: Profile) -> Profile:
    return replace(
        profile,
        title=HOSTILE[0],
        notes=tuple(HOSTILE),
        stacks=tuple(sorted(((name, name), 10) for name in HOSTILE)),
        samples=10 * len(HOSTILE),
    )


def test_table_has_shares_with_half_widths(profile: Profile) -> None:
    page = Page(render_page([profile], title="t", subtitle="s"))
    assert page.rows[0] == ["self %", "total %", "function"]
    assert page.rows[1] == ["60.0 ± 9.6", "60.0 ± 9.6", "dm_dot_avx2 libdualmem.so"]
    assert ["10.0 ± 5.9", "100.0 ± 0.0", "main loop.py"] in page.rows
    assert len(page.rows) == 1 + 6


def test_half_width_by_hand() -> None:
    assert share_text(50, 100) == "50.0 ± 9.8"
    assert share_text(0, 0) == "0.0 ± 0.0"


def test_every_fact_of_the_capture_is_on_the_page(profile: Profile) -> None:
    text = render_page([profile], title="t", subtitle="s")
    assert profile.line() in text
    assert "a note" in text


def test_hostile_names_are_only_text(profile: Profile) -> None:
    evil = hostile(profile)
    page = Page(render_page([evil, replace(evil, engine='perf"><script>')], title=HOSTILE[0], subtitle=HOSTILE[1]))
    assert len(page.scripts) == 2
    tags = "html head meta title style body header h1 p div button input output main section canvas ul li table caption"
    tags += " thead tbody tr th td span footer strong kbd script"
    assert {tag for tag, _ in page.elements} == set(tags.split())
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"]
    names = json.loads(page.scripts[0])["graphs"][0]
    assert {f"{name} ({place})" if place else name for name, place in zip(names["names"], names["places"], strict=True)} == {
        "all",
        *HOSTILE,
    }


def test_the_data_block_holds_no_bracket_at_all(profile: Profile) -> None:
    """Up to the first "<" it is whole: no parser, however it reads a script's end or a comment, can stop before it does."""
    text = render_page([hostile(profile)], title="t", subtitle="s")
    block = text.partition('id="profile-data">')[2].partition("<")[0]
    assert len(json.loads(block)["graphs"][0]["names"]) == 1 + len(HOSTILE)


def test_nothing_is_fetched_and_only_the_two_blocks_may_run(profile: Profile) -> None:
    text = render_page([profile], title="t", subtitle="s")
    page = Page(text)
    assert not [attributes for _, attributes in page.elements if {"src", "href", "action"} & set(attributes)]
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    policy = next(
        a["content"] or "" for tag, a in page.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    for kind, block in (("script", page.scripts[1]), ("style", page.styles[0])):
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_tree_in_the_data_is_the_profile(profile: Profile) -> None:
    graph = json.loads(Page(render_page([profile], title="t", subtitle="s")).scripts[0])["graphs"][0]
    stacks: dict[tuple[str, ...], int] = {}
    paths: list[tuple[str, ...]] = []
    for name, parent, own in zip(graph["name"], graph["parent"], graph["self"], strict=True):
        full = graph["names"][name] + (f" ({graph['places'][name]})" if graph["places"][name] else "")
        paths.append((*paths[parent], full) if parent >= 0 else ())
        if own:
            stacks[paths[-1]] = own
    assert tuple(sorted(stacks.items())) == tuple(sorted(profile.stacks))


@pytest.mark.parametrize("count", [1, 2])
def test_tabs_only_where_there_are_two(profile: Profile, count: int) -> None:
    page = Page(render_page([profile, replace(profile, engine="perf")][:count], title="t", subtitle="s"))
    assert len([a for _, a in page.elements if a.get("role") == "tab"]) == (2 if count == 2 else 0)
    assert len([tag for tag, _ in page.elements if tag == "canvas"]) == count


def test_same_profile_same_bytes(profile: Profile) -> None:
    assert render_page([profile], title="t", subtitle="s") == render_page([profile], title="t", subtitle="s")
