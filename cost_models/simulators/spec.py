"""What a person writes of a simulator in a YAML file, validated to one clear line.

    name: cache                     # letters, digits, '_', '-', '.'
    description: a cache simulator  # for people; optional, as all that follows but command and metrics
    command: [./simulate, config.json, --ways, "{ways}"]
    files:                          # what is written into the directory of each evaluation
      config.json: {format: json, content: {size: "{size}", policy: "{policy}"}}
      machine.cfg: {format: text, text: "ways = {ways}\\n"}      # or template: machine.cfg.in, a file beside this one
    inputs: {trace.txt: traces/short.txt}   # name in the directory: a file or a folder, copied
    depends: [../src]               # further files or folders by which a stored result is known, not copied
    metrics:
      misses: {unit: "1", better: lower, meaning: lines fetched, from: stdout, regex: 'misses: (\\d+)', which: last}
      latency_s: {unit: s, better: lower, meaning: run time, from: out.json, json: results.cycles, scale: 1.0e-9}
      energy_j: {unit: J, better: lower, meaning: energy, from: out.csv, csv: {column: energy, row: sum}}
      area_mm2: {unit: mm2, better: lower, meaning: area, constant: 3.5}
    success: [0]                    # exit codes after which the metrics are read
    infeasible:                     # the design cannot be built; whatever else goes wrong is a failed evaluation
      exit_codes: [3]
      patterns: ['does not fit']    # sought in standard output and error
      violation: {from: stdout, regex: 'over by (\\S+)'}         # how far it is from buildable; 1 without
    seconds: 60                     # wall time of one evaluation
    parse_seconds: 5                # of reading what it printed
    retries: 0                      # further attempts after a failed one
    limits: {cpu_s: 600, memory_byte: 4294967296, open_files: 256, file_byte: 1073741824, output_byte: 10485760}
    environment: {from_user: [LM_LICENSE_FILE], set: {OMP_NUM_THREADS: "1"}}  # from_user: what changes no result
    separator: ","                  # between the items of a permutation or a subset
    keep: never                     # directories of evaluations that stay for a look: never, failed, all

Paths are relative to the YAML file's directory; a program or argument there is written with ./ or ../ in front.
`parameters`, `constraints` and `objective` make a design space of the file (`designgym.envs.simulated`). Placeholders:
see `templates`. How each kind of metric is read: see `reading`.
"""

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from designgym.cost_models.registry import nearest
from designgym.cost_models.simulators.process import MIB, Limits
from designgym.cost_models.simulators.reading import steps
from designgym.cost_models.strict_yaml import YamlError, parse_yaml, read_text

MOST_S = 1e8  # three years; the system's calls overflow beyond
MOST_READ_BYTE = 10 * MIB  # of one output, by a parser
ROWS = ("first", "last", "sum", "mean", "min", "max")


class SimulatorError(ValueError):
    """A simulator's YAML file is wrong. One line: the key, what is allowed, what was given, the nearest valid name."""


def number(given: Any) -> Any:
    """Return a finite int or float, as it is; ValueError for anything else."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError("not a number")
    return given


def _count(given: Any) -> Any:
    if number(given) != int(given):
        raise ValueError("not a whole number")
    return int(given)


def _row(given: Any) -> Any:
    if given not in ROWS and (isinstance(given, bool) or not isinstance(given, int)):
        raise ValueError("no row")
    return given


Number = Annotated[float, BeforeValidator(number)]
Count = Annotated[int, BeforeValidator(_count)]
Code = Annotated[StrictInt, Field(ge=0, le=255, description="an exit code, from 0 to 255")]
Text = Annotated[StrictStr, Field(min_length=1, description="a text, in quotes where YAML reads something else")]
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Strict(BaseModel):
    """A mapping of known keys only. A field's description says what its value must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class FileEntry(Strict):
    """A file that is written for each evaluation: one of text, template and content."""

    format: Literal["text", "json", "yaml", "xml", "csv"] = Field(description="text, json, yaml, xml or csv")
    text: StrictStr | None = Field(None, description="a text with placeholders")
    template: StrictStr | None = Field(None, description="the path of a file with placeholders")
    content: Any = Field(None, description="a mapping or a list, where the format is json or yaml")


class CsvEntry(Strict):
    """One column of a table with a header, and which of its rows, or what is made of them."""

    column: Text
    row: Annotated[int | str, BeforeValidator(_row)] = Field(
        "last", description=f"a row's number from 0, or one of {', '.join(ROWS)}"
    )
    delimiter: StrictStr = Field(",", min_length=1, max_length=1, description="one character")


class ReadEntry(Strict):
    """Where a number stands in what the simulator left: by one of regex, json and csv."""

    source: Text = Field("stdout", alias="from", description="stdout, stderr, or a file's name in the directory")
    regex: StrictStr | None = Field(None, description="a regular expression with one group")
    which: Literal["first", "last"] = Field("last", description="first or last, of several matches")
    json_path: StrictStr | None = Field(None, alias="json", description="a path, such as results.cycles or [0].x")
    csv: CsvEntry | None = Field(None, description="a mapping with column, row and delimiter")


class MetricEntry(ReadEntry):
    """One metric: what it is, and where it stands; or a constant."""

    unit: StrictStr = Field(description="a text, such as s or mm2, '1' without unit")
    better: Literal["lower", "higher"] = Field(description="lower or higher")
    meaning: Text = Field(description="a text that says what it is")
    scale: Number = Field(1.0, description="a number that what was read is multiplied by")
    constant: Number | None = Field(None, description="a number")


class InfeasibleEntry(Strict):
    """By what a design that cannot be built is known."""

    exit_codes: list[Code] = Field(default=[], description="a list of exit codes")
    patterns: list[Text] = Field(default=[], description="a list of regular expressions")
    violation: ReadEntry | None = Field(default=None, description="a mapping with from, and one of regex, json and csv")


class LimitsEntry(Strict):
    """What one process of an evaluation may use; see `designgym.cost_models.simulators.process.Limits`."""

    cpu_s: Number = Field(default=Limits.cpu_s, gt=0, le=MOST_S, description=f"a number above 0, up to {MOST_S:g}")
    memory_byte: Count = Field(default=Limits.memory_byte, gt=0, lt=2**62, description="a whole number from 1 to 2^62")
    open_files: Count = Field(default=Limits.open_files, gt=3, lt=2**62, description="a whole number from 4 to 2^62")
    file_byte: Count = Field(default=Limits.file_byte, gt=0, lt=2**62, description="a whole number from 1 to 2^62")
    output_byte: Count = Field(
        default=Limits.output_byte, gt=0, le=MOST_READ_BYTE, description=f"a whole number from 1 to {MOST_READ_BYTE}"
    )


class EnvironmentEntry(Strict):
    """Variables that the command has besides the usual ones."""

    from_user: list[Annotated[StrictStr, Field(pattern=VARIABLE, description="a variable's name")]] = Field(
        default=[], description="a list of variables' names"
    )
    set: dict[Annotated[StrictStr, Field(pattern=VARIABLE)], StrictStr] = Field(
        default={}, description="a mapping of variables' names to texts"
    )


class SimulatorSpec(Strict):
    """A simulator's YAML file; the module's docstring shows one."""

    name: StrictStr = Field(pattern=r"^\w[\w.-]{0,59}$", description="a text of up to 60 letters, digits and '_-.'")
    description: StrictStr = Field("", description="a text")
    command: list[StrictStr] = Field(min_length=1, description="a list of texts: the program and its arguments")
    files: dict[Text, FileEntry] = Field({}, description="a mapping of files' names to mappings")
    inputs: dict[Text, Text] = Field({}, description="a mapping of files' names to paths")
    depends: list[Text] = Field([], description="a list of paths")
    metrics: dict[Annotated[StrictStr, Field(pattern=VARIABLE)], MetricEntry] = Field(
        min_length=1, description="a mapping of metrics' names to mappings"
    )
    success: list[Code] = Field([0], min_length=1, description="a list of exit codes")
    infeasible: InfeasibleEntry = Field(default_factory=InfeasibleEntry, description="a mapping")
    seconds: Number = Field(60.0, gt=0, le=MOST_S, description=f"a number above 0, up to {MOST_S:g}")
    parse_seconds: Number = Field(5.0, gt=0, le=600, description="a number above 0, up to 600")
    retries: StrictInt = Field(0, ge=0, le=100, description="an integer from 0 to 100")
    limits: LimitsEntry = Field(default_factory=LimitsEntry, description="a mapping")
    environment: EnvironmentEntry = Field(
        default_factory=EnvironmentEntry, description="a mapping with from_user and set"
    )
    separator: StrictStr = Field(",", pattern=r"^[ ,:;/|_.+-]$", description="one of the characters ' ,:;/|_.+-'")
    keep: Literal["never", "failed", "all"] = Field("never", description="never, failed or all")
    parameters: list[dict[str, Any]] | None = Field(None, min_length=1, description="a list of mappings")
    constraints: list[Text] = Field([], description="a list of texts, such as 'rows * columns <= 4096'")
    objective: dict[str, Any] | None = Field(None, description="a mapping, such as {minimize: [latency_s]}")

    @property
    def limited(self) -> Limits:
        """The limits of one run."""
        return Limits(seconds=self.seconds, **self.limits.model_dump())


def load_spec(path: Path | str) -> SimulatorSpec:
    """Read and check a simulator's file. SimulatorError names it and says in one line what is wrong."""
    try:
        return make_spec(parse_yaml(read_text(Path(path))))
    except (YamlError, SimulatorError) as error:
        raise SimulatorError(f"{path}: {error}") from None


def make_spec(given: dict[str, Any]) -> SimulatorSpec:
    """Check a simulator's description given as a mapping; what it names in the file system is looked at later."""
    try:
        spec = SimulatorSpec.model_validate(given)
    except ValidationError as error:
        raise SimulatorError(one_line(error, SimulatorSpec)) from None
    for name, metric in spec.metrics.items():
        _check_reading(f"metrics.{name}", metric, metric.constant is not None)
    if spec.infeasible.violation is not None:
        _check_reading("infeasible.violation", spec.infeasible.violation, False)
    for i, pattern in enumerate(spec.infeasible.patterns):
        _compiled(f"infeasible.patterns[{i}]", pattern)
    if both := set(spec.success) & set(spec.infeasible.exit_codes):
        raise SimulatorError(f"exit code {min(both)} must be success or infeasible, got both. Drop one.")
    return spec


def _check_reading(key: str, entry: ReadEntry, constant: bool) -> None:
    given = [name for name, value in (("regex", entry.regex), ("json", entry.json_path), ("csv", entry.csv))
             if value is not None]  # fmt: skip
    given += ["constant"] * constant
    if len(given) != 1:
        wanted = "regex, json, csv or constant" if isinstance(entry, MetricEntry) else "regex, json or csv"
        raise SimulatorError(f"{key} must have one of {wanted}, got {' and '.join(given) or 'none'}.")
    if entry.regex is not None and (groups := _compiled(f"{key}.regex", entry.regex).groups) != 1:
        raise SimulatorError(
            f"{key}.regex must have one group, around the number, got {groups} in {entry.regex!r}. "
            "Write (?:...) for a group that is not read."
        )
    if entry.json_path is not None:
        try:
            steps(entry.json_path)
        except ValueError as error:
            raise SimulatorError(f"{key}.json: {error}") from None


def _compiled(key: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise SimulatorError(f"{key} must be a regular expression, got {pattern!r}: {error}.") from None


def one_line(error: ValidationError, root: type[Strict]) -> str:
    """Return rule, value and remedy for the first thing that is wrong with a mapping that holds a `root`."""
    # A misspelt key is also a missing one; the misspelling tells more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    place = tuple(step for step in first["loc"] if step != "[key]")
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
    if first["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in _at(place[:-1], root)[0].model_fields.items()]
        return f"unknown key {path}. {nearest(str(place[-1]), known)} Allowed: {', '.join(known)}."
    allowed = _at(place, root)[1]
    if "[key]" in first["loc"]:
        return f"{path} must be a name of letters, digits and '_', got {first['input']!r}."
    if first["type"] == "missing":
        return f"{path} is missing: it must be {allowed}."
    given = " ".join(repr(first["input"]).split())
    return f"{path} must be {allowed}, got {given if len(given) <= 80 else f'{given[:77]}...'}."


_ENTRIES: dict[str, tuple[type[Strict], str]] = {
    "files": (FileEntry, "a mapping with format, and one of text, template and content"),
    "metrics": (MetricEntry, "a mapping with unit, better, meaning, and one of regex, json, csv and constant"),
}
_MAPPINGS: dict[str, type[Strict]] = {
    "infeasible": InfeasibleEntry, "violation": ReadEntry, "limits": LimitsEntry, "environment": EnvironmentEntry,
    "csv": CsvEntry,
}  # fmt: skip
_ITEMS = {
    "command": "a text: put a number in quotes",
    "success": "an exit code, from 0 to 255",
    "exit_codes": "an exit code, from 0 to 255",
    "patterns": "a regular expression",
    "from_user": "a variable's name",
    "set": "a text: put a number in quotes",
    "inputs": "a path",
    "depends": "a path",
    "constraints": "a text, such as 'rows * columns <= 4096'",
    "parameters": "a mapping",
    "choices": "a text: put it in quotes",
    "items": "a text: put it in quotes",
    "values": "a number",
}


def _at(place: tuple[int | str, ...], root: type[Strict]) -> tuple[type[Strict], str]:
    """Return the model whose key stands at this place, or which itself stands there, and what is allowed there."""
    model, allowed, above = root, "a mapping", ""
    for step in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if above in _ENTRIES:
            model, allowed = _ENTRIES[above]
            above = ""
        elif above in _ITEMS:
            allowed = _ITEMS[above]
        elif step in fields:
            allowed, above = fields[str(step)].description or "a text", str(step)
            if above in _MAPPINGS:
                model, above = _MAPPINGS[above], ""
    return model, allowed
