"""Builds that differ in bytes and not in work: the self-test's library compiled again after edits that change nothing.

Such edits occur in every commit: a function is added before the hot one in its file, functions change places, another file grows, a
table grows, objects are linked in another order. Whatever a gate calls a regression here is a false alarm.
"""

import itertools
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from dualmem_cli.errors import BuildError
from dualmem_cli.measure.worker import native_path

LINKS = 4
_COMPILE_TIMEOUT_S = 60.0
_FUNCTION = re.compile(r"^(?P<head>(?:static )?(?:\w+ )+\*?\w+\((?:[^;{}])*\)) \{\n(?:.*\n)*?\}\n", re.MULTILINE)


def make_inert(seed: int, *, folder: Path) -> tuple[Path, ...]:
    """Compile and link one variant of the self-test's library at 0 % into `folder` (made if it is missing): as many links as the original
    has, equal for equal seeds. Raises BuildError when there is no C compiler or it fails."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise BuildError("cc is not there, and inert builds must be compiled", hint="Install one: apt-get install gcc libc6-dev.")
    source = native_path("selftest") / "source"
    compile_flags, link_flags = ((source / name).read_text().split() for name in ("compile.flags", "link.flags"))
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    links = tuple(folder.absolute() / f"selftest.{number}.so" for number in range(LINKS))
    with tempfile.TemporaryDirectory(prefix="dualmem-inert-") as name:
        work = Path(name)
        texts = {path.name: varied(path.read_text(), draw) for path in sorted(source.glob("*.c"))}
        texts["grown.c"] = "#include <stdint.h>\n" + _unused(draw, "grown", functions=draw.randint(1, 8))
        for file, text in texts.items():
            (work / file).write_text(text)
        # Relative names and one folder: no path of this machine reaches the binary, or equal seeds would give other bytes.
        defines = ["-DSELFTEST_EXTRA_PERCENT=0", f"-I{source}"]
        _run([compiler, *compile_flags, *defines, "-c", *texts], work)
        objects = [f"{Path(file).stem}.o" for file in texts]
        for number, link in enumerate(links):
            (work / f"pad{number}.c").write_text(_pad(draw.randrange(4096)))
            draw.shuffle(objects)
            _run([compiler, *compile_flags, "-c", f"pad{number}.c"], work)
            _run([compiler, *link_flags, "-o", str(link), f"pad{number}.o", *objects, "-lm"], work)
    return links


def varied(text: str, draw: random.Random) -> str:
    """C source with its functions in another order and unused functions and data between them. Each is declared first, so that the
    order is free."""
    found = list(_FUNCTION.finditer(text))
    if not found:
        return text
    declarations = "".join(f"{match['head']};\n" for match in found)
    blocks = [match.group() for match in found]
    blocks += [_unused(draw, f"added_{number}", functions=1) for number in range(draw.randint(1, 3))]
    draw.shuffle(blocks)
    between = "".join(text[a.end() : b.start()] for a, b in itertools.pairwise(found))
    return text[: found[0].start()] + between + declarations + "".join(blocks) + text[found[-1].end() :]


def _unused(draw: random.Random, name: str, *, functions: int) -> str:
    """Functions that nobody calls and a table that nobody reads; `used` keeps both in the binary."""
    parts = []
    for number in range(functions):
        # Times y, not times a constant: gcc searches long for the cheapest way to multiply by one.
        steps = "".join(
            f"    x = (x ^ (x >> {draw.randint(1, 63)})) * y + {draw.getrandbits(63)}u;\n" for _ in range(draw.randint(1, 60))
        )
        parts.append(
            f"__attribute__((used, noinline)) static uint64_t {name}_{number}(uint64_t x, uint64_t y) {{\n{steps}    return x;\n}}\n"
        )
    table = ", ".join(str(draw.randrange(256)) for _ in range(draw.randint(1, 400)))
    parts.append(f"__attribute__((used)) static {draw.choice(('', 'const '))}unsigned char {name}_table[] = {{{table}}};\n")
    return "".join(parts)


def _pad(size: int) -> str:
    """Assembly in C, as native/layout/pad.c has it, but of any size."""
    return f'__asm__(".text\\n.skip {size + 1}, 0\\n");\ntypedef int pad_is_not_empty;\n'


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_COMPILE_TIMEOUT_S
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        wrong = next((line for line in lines if "error" in line), lines[-1] if lines else "no output")
        raise BuildError(f"an inert build failed: {wrong.strip()}", hint="Check that cc compiles C11 with glibc's headers.")
