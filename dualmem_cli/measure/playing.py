"""A player while it plays: whatever it answers is kept at once, so that nothing is lost when it dies or somebody loses patience."""

from collections.abc import Callable
from dataclasses import replace

from dualmem_cli.measure.player import Player, PlayerFailedError, Players
from dualmem_cli.model.load import Part, Play, Played, PlayerRun, PlayerSetup, PlayMode
from dualmem_cli.plan.sections import Stretch

Heard = Callable[[PlayerRun, Part, Played], None]


class Playing:
    """One player. `run` is what is known of it so far; `heard` is told of every answer."""

    def __init__(self, run: PlayerRun, *, threads: int, seconds: Callable[[], float], heard: Heard) -> None:
        self.run = run
        self._threads = threads
        self._seconds = seconds
        self._heard = heard
        self._began_s = seconds()
        self._player: Player | None = None

    def started(self, players: Players, setup: PlayerSetup, *, timeout_s: float, then: Callable[[], None]) -> None:
        """Start a player, set it up, call `then`, end it well. One that fails, in set-up already or later, ends all that, and `run` says
        why."""
        try:
            with players.started(setup, timeout_s=timeout_s) as player:
                self._player = player
                self.run = replace(self.run, clock=player.clock, before=player.before)
                then()
                self.run = replace(self.run, after=player.finish())
        except PlayerFailedError as error:
            self.run = replace(self.run, failure=error.failure)
        finally:
            self._player = None
            self.run = replace(self.run, seconds=self._seconds() - self._began_s)

    def play(
        self, part: Part, arm: int, stretch: Stretch, *, mode: PlayMode, speed: float = 1.0, threads: int | None = None
    ) -> Played:
        """Play a stretch on one arm. Raises PlayerFailedError."""
        assert self._player is not None, "a player plays while it is started"
        began = self._seconds()
        play = Play(arm, stretch.first, stretch.count, mode, speed, self._threads if threads is None else threads)
        played = self._player.play(play, planned_s=stretch.scheduled_s if mode is PlayMode.OPEN else 0.0)
        self.run = replace(self.run, plays=(*self.run.plays, (part, played)), began_s=(*self.run.began_s, began - self._began_s))
        self._heard(self.run, part, played)
        return played
