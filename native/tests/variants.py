"""Which variant of each SIMD family the tests ran, and how: variants.py BUILD [EMULATED_ARM_BUILD]. The last line of `make test`.

The families and their rows are read from the tables in the sources, what ran from ctest's logs, so that a row that no test ran cannot
go unnoticed: it is a SKIP that is counted, with what to do about it.
"""

import re
import sys
from pathlib import Path

NATIVE = Path(__file__).parent.parent
ROW = re.compile(r'^ *\{"(\w+)", DM_ISA_\w+', re.MULTILINE)
RAN = re.compile(r"^ran (\w+) (\w+)", re.MULTILINE)
TEST = re.compile(r"^\d+/\d+ Test: (\w+)$", re.MULTILINE)
WAYS = ("native", "emulated", "qemu")
REMEDIES = {
    "avx512": "pip install --no-deps cmeel-simde",
    "avx512vnni": "pip install --no-deps cmeel-simde",
    "neon": "apt-get install gcc-aarch64-linux-gnu qemu-user",
}


def rows() -> dict[str, list[str]]:
    """The variants of each family, in the order of its table."""
    tables = {path.stem: ROW.findall(path.read_text()) for path in sorted(NATIVE.glob("*/*.c"))}
    return {family: variants for family, variants in tables.items() if variants}


def ran(build: Path, way: str) -> set[tuple[str, str, str]]:
    """(family, variant, way) of every variant that ran in the last ctest of this build."""
    log = build / "Testing/Temporary/LastTest.log"
    if not log.exists():
        return set()
    found = set()
    _, *sections = TEST.split(log.read_text(errors="replace"))
    for test, output in zip(sections[::2], sections[1::2], strict=True):
        emulated = test.endswith("_emulated")
        for family, variant in RAN.findall(output):
            # An executable with emulated AVX-512 runs the other variants as the plain one does.
            if not emulated or "avx512" in variant:
                found.add((family, variant, "emulated" if emulated else way))
    return found


def main() -> None:
    build, *arm = map(Path, sys.argv[1:])
    everything = ran(build, "native").union(*(ran(folder, "qemu") for folder in arm))
    done: dict[str, set[str]] = {}  # how an instruction set's rows ran; no entry: one of them did not
    missing: dict[str, int] = {}
    for family, variants in rows().items():
        said = []
        for variant in variants:
            isa = variant.rpartition("_")[2]
            how = {way for of, name, way in everything if (of, name) == (family, variant)}
            done.setdefault(isa, set()).update(how)
            missing[isa] = missing.get(isa, 0) + (not how)
            said.append(f"{variant} {'+'.join(sorted(how, key=WAYS.index)) or 'SKIPPED'}")
        print(f"  {family:<11} {', '.join(said)}")
    complete = [isa + ("" if "native" in how else f"({'+'.join(how)})") for isa, how in done.items() if not missing[isa]]
    skipped = [f"{isa} SKIPPED in {count}: {REMEDIES.get(isa, 'not on this machine')}" for isa, count in missing.items() if count]
    print(f"variants: {'; '.join([' '.join(complete) + ' ran', *skipped])} ({sum(missing.values())} rows skipped)")


if __name__ == "__main__":
    main()
