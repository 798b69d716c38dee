"""For CMakeLists.txt: where this interpreter's headers and its shared library are, and the versions of the packages that are peers."""

import sysconfig
from importlib import metadata
from pathlib import Path


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


library = Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "missing")
if not library.is_file():  # Debian's lies deeper
    library = Path(library.parent, sysconfig.get_config_var("MULTIARCH") or "", library.name)
shared = library if library.suffix != ".a" else ""
print(sysconfig.get_paths()["include"], shared, *map(version, ("numpy", "scipy", "faiss-cpu")), sep=";")
