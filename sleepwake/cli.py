"""The command line. Thin: it parses, calls, prints, and turns errors into exit codes.

Exit codes: 0 done; 1 the run failed or something is damaged; 2 the input is wrong; 130 interrupted.
"""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from sleepwake import doctor as doctors
from sleepwake import dreaming, methods, recipebook, session, statistics, sweep_page, terminal
from sleepwake import recipe as recipes
from sleepwake import sweep as sweeps
from sleepwake.engines import Processes
from sleepwake.errors import DamagedRunError, RecipeError, RunFolderError, SleepwakeError, writing

BEGAN = time.perf_counter()
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
book = typer.Typer(no_args_is_help=True, help="The shipped recipes.", rich_markup_mode=None)
app.add_typer(book, name="recipes")

Dir = Annotated[Path, typer.Argument(help="A run's folder.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Code = Annotated[bool, typer.Option("--allow-code", help="Let classes of your own run, which the recipe names.")]
Data = Annotated[Path | None, typer.Option(help="Where relative data paths are sought first.")]
RecipeName = Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped one.")]
Sets = Annotated[list[str], typer.Option("--set", help="Override: key.path=VALUE, the value in TOML. Repeatable.")]


@contextmanager
def _errors(path: Path | None = None) -> Iterator[None]:
    """Users' mistakes end in one message; an interrupt names the command that goes on."""
    try:
        yield
    except SleepwakeError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"hint: {error.hint.replace('DIR', str(path or 'DIR'))}", err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        where = f"; nothing that was committed is lost. Go on with: sleepwake resume {path}" if path else ""
        typer.echo(f"\ninterrupted{where}", err=True)
        raise typer.Exit(130) from None


def _warn(text: str) -> None:
    typer.echo(f"warning: {text}", err=True)


def _interrupt(*_: Any) -> None:
    session.interrupted.set()
    raise KeyboardInterrupt


def _go_on(opened: session.Session, steps: int | None = None, only: str = "") -> None:
    """Run with progress on the terminal, then the result."""
    path = opened.folder.path
    with _errors(path), terminal.watching(path, opened.expected_commits) as tell:
        finished = opened.go_on(tell, steps, only)
    page = session.write_report(path) if finished else None
    terminal.result(path, finished, page)


@app.command()
def run(
    recipe: RecipeName,
    out: Annotated[Path | None, typer.Option(help="The run's folder; default checkpoints/<recipe>-<seed>.")] = None,
    settings: Sets = [],  # noqa: B006  typer reads the default, nobody changes it
    seed: Annotated[int | None, typer.Option(help="In place of the recipe's seed.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Stop after so many commits; 0 only makes the folder.")] = None,
    device: Device = "auto",
    data: Data = None,
    allow_code: Code = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the folder.")] = False,
) -> None:
    """Run a recipe to the end. Example: sleepwake run quickstart --seed 1 --set wake.steps=200"""
    with _errors():
        opened = session.start(recipebook.find(recipe), settings, seed, out, overwrite, device, data, BEGAN, allow_code)
    _go_on(opened, steps)


@app.command()
def resume(
    folder: Dir,
    recipe: Annotated[Path | None, typer.Option(help="Refuse to go on unless the run was started with this recipe.")] = None,
    device: Device = "auto",
    data: Data = None,
    allow_code: Code = False,
) -> None:
    """Go on with a run from its last commit. Example: sleepwake resume checkpoints/quickstart-0"""
    _step(folder, recipe, device, data, None, "", allow_code)


@app.command()
def wake(folder: Dir, device: Device = "auto", data: Data = None, allow_code: Code = False) -> None:
    """Make exactly one step: learn the next task. Example: sleepwake wake checkpoints/quickstart-0"""
    _step(folder, None, device, data, 1, "wake", allow_code)


@app.command()
def sleep(folder: Dir, device: Device = "auto", data: Data = None, allow_code: Code = False) -> None:
    """Make exactly one step of a night: a round, the consolidation or the morning. Example: sleepwake sleep checkpoints/quickstart-0"""
    _step(folder, None, device, data, 1, "sleep", allow_code)


def _step(folder: Path, recipe: Path | None, device: str, data: Path | None, steps: int | None, only: str, allow_code: bool) -> None:
    with _errors():
        opened = session.reopen(folder, recipe, device, data, _warn, BEGAN, allow_code)
        if session.is_finished(opened.folder):
            opened.folder.release()
            typer.echo(f"{folder} is finished; see {folder / 'report.html'}")
            return
    _go_on(opened, steps, only)


@app.command()
def status(
    folder: Dir,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check every hash; exit 1 where anything is damaged.")] = False,
) -> None:
    """Say where a run stands. Example: sleepwake status checkpoints/quickstart-0 --verify"""
    with _errors():
        summary, damaged = session.status(folder, verify)
        if as_json:
            typer.echo(json.dumps(summary, indent=1))
        else:
            terminal.status(folder, summary)
        if damaged:
            raise DamagedRunError("\n".join(damaged), f"go on from the last whole commit: sleepwake resume {folder}")
        if verify and not as_json:
            typer.echo("every file is what was committed")


@app.command()
def check(recipe: RecipeName, settings: Sets = []) -> None:  # noqa: B006
    """Check a recipe without running it: every mistake at once. Example: sleepwake check my.toml"""
    with _errors():
        file = recipebook.find(recipe)
        checked = recipes.load(file, settings)
    typer.echo(f"{file} is fine: {checked.domain.type}, policy {checked.policy.type}, stages {', '.join(checked.sleep.stages) or 'none'}")


@app.command()
def report(folder: Dir) -> None:
    """Write summary.json and report.html again. Example: sleepwake report checkpoints/quickstart-0"""
    with _errors():
        typer.echo(session.write_report(folder))


@app.command()
def explain(folder: Dir) -> None:
    """Print every decision with its reason and its numbers. Example: sleepwake explain checkpoints/quickstart-0"""
    with _errors():
        terminal.explain(session.committed(folder))


@app.command("eval")
def evaluate(
    folder: Dir,
    boundary: Annotated[bool, typer.Option("--boundary", help="What many samples reach, before the nights and after; takes long.")] = False,
    problems: Annotated[int, typer.Option(min=1, help="With --boundary: problems a level.")] = 100,
    samples: Annotated[int, typer.Option(min=2, help="With --boundary: samples a problem; k is half of it.")] = 512,
    to: Annotated[int | None, typer.Option(min=1, help="With --boundary: leave out levels above this one.")] = None,
    device: Device = "auto",
    data: Data = None,
    allow_code: Code = False,
) -> None:
    """Score the last commit again; it must equal the journal. Example: sleepwake eval checkpoints/quickstart-0"""
    with _errors():
        opened = session.reopen(folder, None, device, data, _warn, BEGAN, allow_code)
        if boundary:
            terminal.boundary(session.measure_boundary(opened, problems, samples, to))
            return
        pairs = session.score_again(opened)
        terminal.scores(pairs)
        if any(now != then for _, now, then in pairs):
            raise DamagedRunError("scores differ from the journal", f"check the files: sleepwake status {folder} --verify")


@app.command()
def dream(
    folder: Dir,
    out: Annotated[Path | None, typer.Option(help="The contact sheet, default beside the run; for text, a file of JSON lines.")] = None,
    n: Annotated[int | None, typer.Option(min=1, help="How many dreams to show.")] = None,
    step: Annotated[int | None, typer.Option(help="The commit whose mind dreams; default the last.")] = None,
    night: Annotated[int | None, typer.Option(min=1, help="Show what this night left in place of dreaming anew; counted from 1.")] = None,
    device: Device = "auto",
    data: Data = None,
    allow_code: Code = False,
) -> None:
    """Show what a run's mind dreams, with verdicts. Example: sleepwake dream checkpoints/quickstart-0 --n 24 --out dreams.png"""
    with _errors(folder):
        if night is not None and (n is not None or step is not None):
            raise RunFolderError("--night shows what a night left, as it is", "leave --n and --step out")
        opened = session.reopen(folder, None, device, data, _warn, BEGAN, allow_code)
        for line in dreaming.dream(opened, out, n, step) if night is None else dreaming.of_night(opened, out, night):
            typer.echo(line)


@app.command("sweep")
def run_sweep(
    recipe: Annotated[list[str], typer.Argument(help="Recipes: files, or names of shipped ones.")],
    seeds: Annotated[str, typer.Option(help="Seeds: 0-4 or 0,2,5.")] = "0-2",
    settings: Sets = [],  # noqa: B006
    ledger: Annotated[Path, typer.Option(help="One JSON line a finished run; runs that it holds are not run again.")] = Path("sweep.jsonl"),
    out: Annotated[Path, typer.Option(help="Where the runs' folders go.")] = Path("checkpoints"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    page: Annotated[Path | None, typer.Option(help="Write the table with plots to this HTML file.")] = None,
    data: Data = None,
) -> None:
    """Run recipes x seeds; print means, intervals, paired differences to the first recipe.

    Example: sleepwake sweep quickstart vision/digits-nosleep --seeds 0-4 --page sweep.html
    """
    with _errors():
        arms = [sweeps.Arm(name, seed, tuple(settings)) for name in recipe for seed in sweeps.parse_seeds(seeds)]
        options = ["--data", str(data)] if data else []
        if page is not None:
            with writing(page):
                page.touch()  # told before the runs, not after them
        arm_results = statistics.results(sweeps.sweep(arms, ledger, out, Processes(jobs), options, typer.echo))
        terminal.sweep(arm_results)
        if page:
            page.write_text(sweep_page.render("sweep of " + ", ".join(recipe), arm_results), encoding="utf-8")
            typer.echo(f"page: {page}")


@app.command()
def doctor() -> None:
    """Print versions, device, threads, data folder and hub. Example: sleepwake doctor"""
    terminal.facts(doctors.facts())


@book.command("list")
def list_recipes() -> None:
    """List the shipped recipes. Example: sleepwake recipes list"""
    terminal.recipes({name: recipebook.about(name) for name in recipebook.names()})


@book.command("methods")
def list_methods() -> None:
    """List the named methods of vision recipes (method = "..."). Example: sleepwake recipes methods"""
    terminal.recipes({name: table["about"] for name, table in methods.known("vision").items()})


@book.command()
def show(recipe: RecipeName) -> None:
    """Print a recipe with every default and its meaning. Example: sleepwake recipes show quickstart"""
    with _errors():
        typer.echo(recipebook.show(recipes.load(recipebook.find(recipe))), nl=False)


@book.command()
def copy(recipe: RecipeName, to: Annotated[Path, typer.Argument(help="The new file.")]) -> None:
    """Copy a shipped recipe to edit it, under the new file's name. Example: sleepwake recipes copy quickstart mine.toml"""
    with _errors():
        if to.exists():
            raise RecipeError(f"{to} is there already", "name another file")
        with writing(to):
            to.write_text(recipebook.copied(recipebook.find(recipe), to))
    typer.echo(to)


@book.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors. Example: sleepwake recipes schema > recipe.schema.json"""
    typer.echo(json.dumps(recipes.schema(), indent=1))


def main() -> None:
    """Entry point. A failed run ends with its traceback and exit 1."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(asked) != signal.SIG_IGN:  # nohup and background jobs of a shell ignore Ctrl-C, and mean it
            signal.signal(asked, _interrupt)
    app()


if __name__ == "__main__":
    main()
