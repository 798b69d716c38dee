"""Two profiles whose differences are known: what grew, what vanished, what only looks different."""

from dataclasses import replace

from dualmem_cli.profile.folded import Profile, Stack

STEM: Stack = ("spin (dualmem-worker)", "run (libdualmem.so)")
COMMON: dict[Stack, int] = {
    (*STEM, "dm_dot (libdualmem.so)"): 500,
    (*STEM, "dm_add (libdualmem.so)"): 200,
    (*STEM, "dm_add (libdualmem.so)", "dm_rare (libdualmem.so)"): 3,
}
HOSTILE = [
    "</script><script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1> (a.so)",
    "a\x1b[31m;\u2028 (b.so)",
    "@@DATA@@",
]


def of(profile: Profile, stacks: dict[Stack, int], **facts: float) -> Profile:
    known = replace(
        profile,
        title="similarity count 16, avx2",
        engine="perf",
        sampler="perf 6.1.187",
        event="cpu-clock",
        errors=0,
        outside=0,
        notes=(),
        stacks=tuple(sorted(stacks.items())),
        samples=sum(stacks.values()),
    )
    return replace(known, **facts)  # type: ignore[arg-type]


def known_pair(profile: Profile) -> tuple[Profile, Profile]:
    """copy_row grew from nothing by memcpy, dm_prefetch vanished; everything else is the same but for chance."""
    old = {**COMMON, (*STEM, "dm_prefetch (libdualmem.so)"): 100}
    new = {
        **COMMON,
        (*STEM, "dm_dot (libdualmem.so)"): 520,
        (*STEM, "copy_row (libdualmem.so)", "memcpy (libc.so.6)"): 120,
        (*STEM, "copy_row (libdualmem.so)"): 4,
    }
    return of(profile, old), of(profile, new, design_effect=1.25)


def hostile_pair(profile: Profile) -> tuple[Profile, Profile]:
    return (
        of(profile, {(name, "x", name): 50 for name in HOSTILE[:3]}),
        of(profile, {(name, "x", name): 50 for name in HOSTILE[1:]} | {(HOSTILE[3],): 200}),
    )
