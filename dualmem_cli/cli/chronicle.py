"""What `dualmem history` shows, read from its database and judged; and the files it is drawn to."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dualmem_cli.errors import HistoryError
from dualmem_cli.model.history import Chronicle
from dualmem_cli.model.machine import Machine

_AGO = re.compile(r"(\d{1,5})([dw])")
_MOST_DRAWN = 30


def read(database: Path, *, names: list[str], since: datetime | None, machine: str, last: int) -> Chronicle:
    """The records asked for, and what became of their series. Raises HistoryError."""
    from dualmem_cli.judge.course import course
    from dualmem_cli.plan.spelling import did_you_mean
    from dualmem_cli.store.history import History

    with History(database, write=False) as history:
        machines = history.machines()
        chosen = _machine(machine, machines)
        records = history.records(since=since, machine=chosen)
        series = history.series(since=since, machine=chosen)
        verdicts = history.verdicts(since=since, machine=chosen)
    known = {name for one in series for name in (one.measured.kernel, one.measured.scenario)}
    known |= {name for told in verdicts for name in (told.judged.kernel, told.judged.scenario) if name}
    for name in names:
        if name not in known:
            raise HistoryError(f'the history has no kernel or scenario "{name}"; {did_you_mean(name, sorted(known))}')
    if names:
        series = tuple(one for one in series if {one.measured.kernel, one.measured.scenario} & set(names))
        verdicts = tuple(told for told in verdicts if {told.judged.kernel, told.judged.scenario} & set(names))
    if series:
        _check_library()
    used = {record.machine for record in records}
    return Chronicle(
        records=records,
        machines=tuple((name, facts) for name, facts in machines if name in used),
        courses=tuple(course(one, last=last) for one in series),
        verdicts=verdicts,
    )


def moment(text: str) -> datetime | None:
    """UTC, without saying so: a day, a time, or how long ago. Raises HistoryError."""
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(days=int(ago[1]) * (7 if ago[2] == "w" else 1))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise HistoryError(f'--since "{text}" is no time', hint="Give a day (2026-11-01) or how long ago (30d, 8w).") from None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def check_targets(*, plot: Path | None, page: Path | None) -> None:
    """Refuse file names that say another format, before anything is read. Raises HistoryError."""
    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise HistoryError(f"{plot}: not a name of a picture", hint="Give --plot a name that ends in .png or .svg.")
    if page is not None and page.suffix not in (".html", ".htm"):
        raise HistoryError(f"{page}: not a name of a page", hint="Give --page a name that ends in .html.")


def draw(found: Chronicle, path: Path) -> None:
    """All courses that are told and have a course, in one picture. Raises HistoryError."""
    from dualmem_cli.report.compose_history import is_told
    from dualmem_cli.report.plots_history import save_history

    courses = [course for course in found.courses if is_told(course) and len(course.series.points) > 1]
    if not courses:
        raise HistoryError("there is nothing to draw: no case has two records", hint="Add more: dualmem history add --all.")
    if len(courses) > _MOST_DRAWN:
        raise HistoryError(
            f"{len(courses)} courses are too many for one picture", hint="Name a kernel, or take --page, which has all of them."
        )
    save_history(courses, path, dots_per_inch=150)


def _machine(asked: str, known: tuple[tuple[str, Machine], ...]) -> str:
    """The name of the machine that was asked for by its first digits; "" for all."""
    from dualmem_cli.judge.fingerprint import place_of
    from dualmem_cli.measure.machine import read_machine

    if not asked:
        return ""
    names = [name for name, _ in known]
    if asked == "here":
        place = place_of(read_machine(), [facts for _, facts in known])
        found = names[place : place + 1]
    else:
        found = [name for name in names if name.startswith(asked)]
    if len(found) != 1:
        what = "several machines begin with" if found else "the history has no machine"
        raise HistoryError(f'{what} "{asked}"', hint=f"Known: {', '.join(names) or 'none'}.")
    return found[0]


def _check_library() -> None:
    from importlib.util import find_spec

    from dualmem_cli.store.history import REMEDY

    if find_spec("ruptures") is None:
        raise HistoryError("change points need the package ruptures", hint=f"{REMEDY}.")
