"""From a simulator's YAML file and what templates may know of the parameters to the cost model.

All that can be wrong with the file is found here: what it names must be there, and no placeholder may be unknown.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from designgym.cost_models.base import Metric
from designgym.cost_models.simulators.command import PRINTED, CommandCostModel, Values
from designgym.cost_models.simulators.content import Stamp, files_below, stamped, version_of
from designgym.cost_models.simulators.process import environment_of, find_program
from designgym.cost_models.simulators.spec import FileEntry, ReadEntry, SimulatorError, SimulatorSpec, load_spec
from designgym.cost_models.simulators.templates import Knob, Structure, Template, argument, file_content, file_text
from designgym.cost_models.simulators.trial_directory import inside_name
from designgym.cost_models.strict_yaml import YamlError, read_text

Stamps = list[tuple[str, Stamp]]


def command_cost_model(path: Path | str, knobs: Sequence[Knob], values: Values) -> CommandCostModel:
    """Make the cost model of a simulator's file for designs with these parameters.

    values: see `CommandCostModel`. SimulatorError names the file and says in one line what is wrong.
    """
    path = place_of(path)
    try:
        return _made(load_spec_here(path), path.parent, knobs, values)
    except SimulatorError as error:
        raise SimulatorError(f"{path}: {error}") from None


def place_of(path: Path | str) -> Path:
    """Return where a file lies to which its paths are relative: no link and no '..' on the way there.

    A link in the last place stays: the file's paths lead on from the folder of the link, not of what it leads to.
    """
    path = Path(path).absolute()
    return path.parent.resolve() / path.name


def load_spec_here(path: Path) -> SimulatorSpec:
    """Load a specification; the message does not name the file yet."""
    try:
        return load_spec(path)
    except SimulatorError as error:
        raise SimulatorError(str(error).removeprefix(f"{path}: ")) from None


def _made(spec: SimulatorSpec, folder: Path, knobs: Sequence[Knob], values: Values) -> CommandCostModel:
    stamps: Stamps = []
    _check_texts(spec)
    files, texts = _files(spec, folder, knobs)
    inputs = _inputs(spec, folder, {name for name, _ in files}, stamps)
    inside = {name for name, _ in (*files, *inputs)}
    _refuse_below_files(inside)
    arguments = _arguments(spec, folder, knobs, inside, stamps)
    for i, given in enumerate(spec.depends):
        where = f"depends[{i}]"
        for name, source in files_below(where, folder / given).items():
            stamps.append((f"{where}/{name}", stamped(where, source)))
    spec = _with_plain_sources(spec)
    names = {knob.name: [knob.many, knob.idle, *knob.texts] for knob in knobs}
    return CommandCostModel(
        spec,
        tuple(Metric(name, one.unit, one.better, one.meaning) for name, one in spec.metrics.items()),
        version_of(spec, texts, stamps, names),
        values,
        arguments,
        files,
        inputs,
        tuple(one for _, one in stamps),
    )


def _check_texts(spec: SimulatorSpec) -> None:
    """SimulatorError for what no process can be given, and for a metric that would hide the violation."""
    arguments = {f"command[{i}]": text for i, text in enumerate(spec.command)}
    variables = {f"environment.set.{name}": text for name, text in spec.environment.set.items()}
    for where, text in (arguments | variables).items():
        if "\0" in text or (not text.isascii() and text != text.encode("utf-8", "replace").decode()):
            raise SimulatorError(
                f"{where} must be a text without NUL that UTF-8 can write, got {text!r}. Leave that out."
            )
    if "violation" in spec.metrics:
        raise SimulatorError(
            "metrics.violation must have another name: that one says how infeasible a design is. Rename it, or read it "
            "as infeasible.violation."
        )


def _refuse_below_files(inside: set[str]) -> None:
    for name in sorted(inside):
        for above in PurePosixPath(name).parents:
            if str(above) in inside:
                raise SimulatorError(
                    f"files and inputs: {name!r} must not lie below {str(above)!r}, which is a file. Rename one."
                )


def _files(
    spec: SimulatorSpec, folder: Path, knobs: Sequence[Knob]
) -> tuple[tuple[tuple[str, Template | Structure], ...], dict[str, str]]:
    """Return the templates by the names of their files, and the texts of those that lie in files of their own."""
    made: dict[str, Template | Structure] = {}
    texts: dict[str, str] = {}
    for given, entry in spec.files.items():
        where = f"files.{given}"
        name = inside_name(where, given)
        if name in made:
            raise SimulatorError(f"{where}: a file must be given once, got {name!r} twice. Drop one.")
        made[name] = _file(where, entry, folder, knobs, spec.separator, texts)
    return tuple(made.items()), texts


def _file(
    where: str, entry: FileEntry, folder: Path, knobs: Sequence[Knob], separator: str, texts: dict[str, str]
) -> Template | Structure:
    ways = {"text": entry.text, "template": entry.template, "content": entry.content}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise SimulatorError(
            f"{where} must have one of text, template and content, got {' and '.join(given) or 'none'}."
        )
    if entry.content is not None:
        return file_content(where, entry.format, entry.content, knobs, separator)
    text = entry.text
    if text is None:
        try:
            text = texts[where] = read_text(folder / str(entry.template))
        except YamlError as error:
            raise SimulatorError(f"{where}.template: {entry.template} {error}") from None
    return file_text(where, entry.format, text, knobs, separator)


def _inputs(spec: SimulatorSpec, folder: Path, written: set[str], stamps: Stamps) -> tuple[tuple[str, Path], ...]:
    found: dict[str, Path] = {}
    for given, source in spec.inputs.items():
        where = f"inputs.{given}"
        name = inside_name(where, given)
        for below, path in files_below(where, folder / source).items():
            whole = inside_name(where, f"{name}/{below}") if below else name
            if whole in written or whole in found:
                raise SimulatorError(f"{where}: a file must be given once, got {whole!r} twice. Drop one.")
            found[whole] = path.absolute()
            stamps.append((f"inputs/{whole}", stamped(where, path)))
    return tuple(found.items())


def _arguments(
    spec: SimulatorSpec, folder: Path, knobs: Sequence[Knob], inside: set[str], stamps: Stamps
) -> tuple[Template, ...]:
    program = argument("command[0]", spec.command[0], knobs, spec.separator)
    if program.used:
        raise SimulatorError(f"command[0]: the program must hold no placeholders, got {spec.command[0]!r}.")
    name = "".join(program.parts)
    if _beside(name):
        name = os.path.abspath(folder / name)
    found = find_program(name, environment_of(folder, spec.environment.set)["PATH"])
    if found is None:
        raise SimulatorError(
            f"command[0] must be a program on PATH, or a path that begins with ./, ../ or /, got {spec.command[0]!r}, "
            "which is none that can be run. Check the name, or chmod +x it."
        )
    stamps.append(("command[0]", stamped("command[0]", Path(found))))
    made = [Template("command[0]", "text", (found,))]
    for i, text in enumerate(spec.command[1:], 1):
        where = f"command[{i}]"
        made.append(_argument(where, argument(where, text, knobs, spec.separator), folder, inside, stamps))
    return tuple(made)


def _argument(where: str, made: Template, folder: Path, inside: set[str], stamps: Stamps) -> Template:
    """Return the template of an argument; one that is a file beside the YAML file becomes absolute, and counts."""
    start = made.parts[0]
    if _beside(start) and made.used:
        raise SimulatorError(f"{where}: the name of a file must hold no placeholders, got {{{made.used[0]}}} in it.")
    if made.used:
        return made
    if _beside(start) or (start.startswith("/") and os.path.isfile(start)):
        path = Path(os.path.abspath(folder / start))
        for name, source in files_below(where, path).items():
            stamps.append((f"{where}/{name}", stamped(where, source)))
        return Template(made.where, made.format, (str(path),), made.separator)
    if start and start not in inside and not start.startswith("-") and os.path.isfile(folder / start):
        raise SimulatorError(
            f"{where}: {start!r} is a file beside the YAML file, but the command runs elsewhere. Write './{start}', or "
            "name it among the inputs."
        )
    return made


def _beside(text: str) -> bool:
    return text.startswith(("./", "../"))


def _with_plain_sources(spec: SimulatorSpec) -> SimulatorSpec:
    """Return the specification with the files that are read in their one spelling. SimulatorError for one outside."""

    def plain(where: str, entry: ReadEntry) -> ReadEntry:
        if entry.source in PRINTED:
            return entry
        return entry.model_copy(update={"source": inside_name(f"{where}.from", entry.source)})

    metrics = {name: plain(f"metrics.{name}", entry) for name, entry in spec.metrics.items()}
    violation = spec.infeasible.violation
    if violation is not None:
        violation = plain("infeasible.violation", violation)
    infeasible = spec.infeasible.model_copy(update={"violation": violation})
    return spec.model_copy(update={"metrics": metrics, "infeasible": infeasible})
