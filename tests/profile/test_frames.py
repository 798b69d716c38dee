"""Frame names: one function, one name, whatever the build, the address or the sampler."""

import pytest

from dualmem_cli.profile.frames import Kind, collapse, kind_of, normalise, split_place


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("dm_dot (/lib/a.so)", ("dm_dot", "/lib/a.so")),
        ("dm_dot (/lib/a.so (deleted))", ("dm_dot", "/lib/a.so (deleted)")),
        ("operator()(int) const (/lib/a.so)", ("operator()(int) const", "/lib/a.so")),
        ("f (/lib/a (old) (older).so)", ("f", "/lib/a (old) (older).so")),
        ("f<void (*)(int)> (a.so)", ("f<void (*)(int)>", "a.so")),
        ("operator()(int)", ("operator()(int)", "")),
        ("plain", ("plain", "")),
        ("broken) (", ("broken) (", "")),
        ("unbalanced)", ("unbalanced)", "")),
        ("(a.so)", ("(a.so)", "")),
        ("", ("", "")),
    ],
)
def test_the_place_is_the_bracket_that_closes_last(text: str, parts: tuple[str, str]) -> None:
    assert split_place(text) == parts


@pytest.mark.parametrize(
    ("name", "place", "frame"),
    [
        ("dm_dot_avx2+0x1c", "/opt/x/libdualmem.so", "dm_dot_avx2 (libdualmem.so)"),
        ("dm_dot_avx2", "/opt/x/libdualmem.so (deleted)", "dm_dot_avx2 (libdualmem.so)"),
        ("__libc_start_main@@GLIBC_2.34", "/lib/libc.so.6", "__libc_start_main (libc.so.6)"),
        ("keep_row.constprop.0", "a.so", "keep_row (a.so)"),  # a copy that the compiler made, and numbered
        ("keep_row.isra.0.part.12.cold", "a.so", "keep_row (a.so)"),
        ("constprop.0", "a.so", "constprop.0 (a.so)"),
        ("spin", "measure/loop.py:40", "spin (measure/loop.py)"),
        ("0x7fcc66b0f485", "libz.so.1", "[unknown] (libz.so.1)"),
        ("[unknown]", "/lib/libz.so.1", "[unknown] (libz.so.1)"),
        ("[unknown]", "[unknown]", "[unknown]"),
        ("0x7f00", "?", "[unknown]"),
        ("", "", "[unknown]"),
        ("facade", "a.so", "facade (a.so)"),  # hexadecimal digits alone make no address
        ("sys_read", "[kernel.kallsyms]", "[kernel]"),
        ("ext4_read", "[ext4]", "[kernel]"),
        ("[unknown]", "[kernel.kallsyms]", "[kernel]"),
        ("jitted", "[JIT] tid 12", "jitted ([JIT] tid 12)"),
        ("__vdso_clock_gettime", "[vdso]", "[vdso]"),
        ("ffi_call_unix64", "/usr/lib/libffi.so.8", "[libffi]"),
        ("0x7f0012", "libffi.so.8", "[libffi]"),
        ("cffistatic_ffi_call", "_cffi_backend.cpython-311.so", "[libffi]"),
        ("cdata_call", "_cffi_backend.cpython-311.so", "[cffi]"),
        ("_cffi_f_dm_dot", "_native.abi3.so", "[cffi]"),
        ("_PyEval_EvalFrameDefault", "libpython3.11.so.1.0", "[cpython]"),
        ("0x55d0", "/usr/bin/python3.11", "[cpython]"),
        ("gc_collect_main", "gcmodule.c:100", "[cpython]"),
        ("_PyObject_Call", "call.c:77", "[cpython]"),
        ("recall", "call.c:77", "recall (call.c)"),
        ("PyArray_Sum", "_multiarray_umath.cpython-311.so", "PyArray_Sum (_multiarray_umath.cpython-311.so)"),
        ("_find_and_load", "<frozen importlib._bootstrap>:1176", "[import]"),
        ("<module>", "<string>:1", "<module> (<string>)"),
    ],
)
def test_normalised(name: str, place: str, frame: str) -> None:
    assert normalise(name, place) == frame


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ("dm_dot (libdualmem.so)", Kind.NATIVE),
        ("zlib_compress (zlibmodule.c)", Kind.NATIVE),
        ("spin (measure/loop.py)", Kind.PYTHON),
        ("<module> (<string>)", Kind.PYTHON),
        ("[cffi]", Kind.RUNTIME),
        ("[kernel]", Kind.KERNEL),
        ("[unknown] (libz.so.1)", Kind.UNKNOWN),
        ("[unknown]", Kind.UNKNOWN),
    ],
)
def test_kind(frame: str, kind: Kind) -> None:
    assert kind_of(frame) is kind


def test_groups_merge_and_recursion_stays() -> None:
    assert collapse(["a", "[cpython]", "[cpython]", "b", "b", "[cpython]"]) == ("a", "[cpython]", "b", "b", "[cpython]")
