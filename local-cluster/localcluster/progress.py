"""Shows what is being done and since when: live lines on a terminal, plain lines elsewhere."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress

Say = Callable[[str], None]
_HEARTBEAT = 30.0


class Board:
    """One line a step, with its name, what it does and the seconds spent."""

    def __init__(self, console: rich.console.Console) -> None:
        self.console = console
        self._live = console.is_terminal
        self._bars = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description:<26}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "Board":
        if self._live:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bars.stop()

    @contextlib.contextmanager
    def step(self, name: str, quiet_below: float = 0.0) -> Iterator[Say]:
        """Show the step while its block runs; a step that was over in no time is not worth a line."""
        began = time.monotonic()
        line = self._bars.add_task(name, note="", total=None) if self._live else None
        note = [""]
        ended = threading.Event()

        def say(text: str) -> None:
            note[0] = text
            if line is not None:
                self._bars.update(line, note=text)

        def beat() -> None:
            while not ended.wait(_HEARTBEAT):
                self.console.print(f"  … {name:<26} {time.monotonic() - began:6.0f} s  {note[0]}", highlight=False)

        if line is None:
            threading.Thread(target=beat, daemon=True).start()
        try:
            yield say
        except BaseException:
            self.console.print(f"  [red]✗[/] {name:<26} {time.monotonic() - began:6.1f} s", highlight=False)
            raise
        else:
            if (spent := time.monotonic() - began) >= quiet_below:
                self.console.print(f"  [green]✓[/] {name:<26} {spent:6.1f} s", highlight=False)
        finally:
            ended.set()
            if line is not None:
                self._bars.remove_task(line)
