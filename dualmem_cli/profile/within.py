"""A profile of a library alone: without what the program that calls it does between its calls, such as reading the clock."""

from dataclasses import replace

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.frames import split_place


def within(profile: Profile, *, library: str, program: str) -> Profile:
    """The samples taken inside of the library, or of what it calls; the profile as it is where there are none. Both are named as frames
    name their places. A place of the system's counts as the library's: it is not known who called it."""
    kept = tuple((stack, count) for stack, count in profile.stacks if any(split_place(frame)[1] == library for frame in stack))
    samples = sum(count for _, count in kept)
    if not samples:
        return profile
    leaves = tuple(leaf for leaf in profile.leaves if leaf[0].rpartition("/")[2] != program)
    left_out = profile.outside + profile.samples - samples
    return replace(profile, stacks=kept, samples=samples, outside=left_out, leaves=leaves)
