"""A difference of two profiles in words: the same in a terminal, on a page and in a report."""

from dualmem_cli.profile.difference import Difference, FunctionChange
from dualmem_cli.profile.frames import split_place

_NAMED = 3  # functions in one sentence
_MOST = 0.5  # a function with this share of both sides hides what changed inside of it


def headline(difference: Difference) -> str:
    """What a reader should know first."""
    if difference.identical:
        return "The two profiles are the same, stack for stack: there is no difference to show."
    if not difference.differs:
        words = "No difference of these two profiles is significant: nothing in them explains a change of speed."
        return f"{words} {_inside(difference)}".rstrip()
    grew, shrank = difference.of(1), difference.of(-1)
    parts = []
    if grew:
        parts.append(f"Grew: {_named(grew)}.")
    if shrank:
        parts.append(f"Shrank: {_named(shrank)}.")
    if not parts:
        parts.append(
            "No function's own share differs significantly, but boxes of the graph do: the same functions are called from elsewhere."
        )
    elif not grew:
        parts.append("No function grew significantly.")
    return " ".join([*parts, *(_together(function, caller) for function, caller in difference.merged[:_NAMED])])


def sampled(difference: Difference) -> str:
    """The samples behind it, and how many stacks came and went."""
    n, m = difference.samples
    (gone, gone_samples), (new, new_samples) = difference.only(0), difference.only(1)
    effect = difference.design_effect
    worth = "taken as independent"
    if effect > 1:
        worth = f"design effect {effect:.2f}: worth {n / effect:,.0f} and {m / effect:,.0f} independent ones"
    return (
        f"Baseline {n:,} samples, candidate {m:,} ({worth}); {difference.tested} difference{'s' * (difference.tested != 1)} tested. "
        f"Vanished: {stack_count(gone)}, {100 * gone_samples / n:.1f} % of the baseline. "
        f"New: {stack_count(new)}, {100 * new_samples / m:.1f} % of the candidate."
    )


def signed(share: float) -> str:
    """Points of share with their sign: '+9.1', '-0.3', '0.0'."""
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def stack_count(count: int) -> str:
    """'1 stack', '12 stacks'."""
    return f"{count:,} stack{'' if count == 1 else 's'}"


def _named(functions: tuple[FunctionChange, ...]) -> str:
    texts = [
        f"{function_name(f)} {signed(f.own.value)} points ({signed(f.own.low)} to {signed(f.own.high)})"
        for f in functions[:_NAMED]
    ]
    more = len(functions) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def function_name(function: FunctionChange) -> str:
    """A function without its place; one of the system with its caller."""
    name = printable(split_place(function.name)[0])
    return f"{name} called by {printable(split_place(function.caller)[0])}" if function.caller else name


def printable(text: str) -> str:
    """The text with what is not seen but acts, such as a terminal's sequences, written as escapes: a library names its own functions."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _together(function: FunctionChange, caller: FunctionChange) -> str:
    """A function that may have become a part of its caller is no news but the sum of both."""
    return (
        f"{function_name(function)} vanished and its caller {function_name(caller)} grew by as much: the compiler may have inlined it; "
        f"together they moved {signed(function.own.value + caller.own.value)} points."
    )


def _inside(difference: Difference) -> str:
    """Where one function has most of the samples of both sides, its own slowness moves no share."""
    n, m = difference.samples
    largest = max(difference.functions, key=lambda f: f.own.baseline / n + f.own.candidate / m, default=None)
    if largest is None or min(largest.own.baseline / n, largest.own.candidate / m) < _MOST:
        return ""
    shares = [
        f"{100 * count / total:.1f} %" for count, total in zip((largest.own.baseline, largest.own.candidate), (n, m), strict=True)
    ]
    return (
        f"{function_name(largest)} has {shares[0]} of the baseline's and {shares[1]} of the candidate's samples: "
        "what became slower inside of it moves no share."
    )
