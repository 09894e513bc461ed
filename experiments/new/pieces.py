"""Write a cost model, an environment or an agent of one's own as a distribution that pip installs.

The files are texts in `data/`, filled in with the piece's names.
"""

import keyword
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
LONGEST = 40
# What the texts of `data/` import: a class of that name would hide it.
IMPORTED = frozenset({
    "Agent", "Any", "Categorical", "Columns", "CostModel", "DesignProblem", "DesignSpace", "Evaluations", "Float",
    "Metric", "Objective", "Ordinal", "Path", "Problem",
})  # fmt: skip
ALWAYS = {"pyproject.toml": "pyproject.toml", "README.md": "README.md"}


@dataclass(frozen=True)
class Kind:
    """One kind of piece. what: its name in messages. modules, test: which texts of `data/` it consists of."""

    what: str
    modules: tuple[str, ...]
    test: str
    run: str


KINDS = {
    "env": Kind("environment", ("cost_model.py", "environment.py"), "test_environment.py",
                "designgym run $camel --agent genetic --budget 200"),
    "cost-model": Kind("cost model", ("cost_model.py",), "test_cost_model.py", "designgym show $camel"),
    "agent": Kind("agent", ("agent.py",), "test_agent.py", "designgym run LABS --agent $snake --budget 200"),
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A piece to write. camel: as a class and a problem are called; snake: as a module and an agent are."""

    kind: str
    camel: str
    snake: str

    @property
    def package(self) -> str:
        """What it is imported as; the prefix keeps it apart from everybody's modules."""
        return f"designgym_{self.snake}"

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return self.package.replace("_", "-")

    @property
    def id(self) -> str:
        """What designgym knows it by."""
        return {"env": f"{self.camel}-v0", "cost-model": self.camel, "agent": self.snake}[self.kind]


def piece(kind: str, name: str) -> Piece:
    """Return the piece of this kind and name. ValueError for a name that cannot be one, or that is taken."""
    if kind not in KINDS:
        raise ValueError(f"a piece must be one of {', '.join(KINDS)}, got {kind!r}.")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise ValueError(
            f"a name must be at most {LONGEST} letters and digits, words joined by '_' or '-', the first a letter, got "
            f"{name!r}. Use one such as my-space."
        )
    words = WORD.findall(name)
    camel, snake = "".join(word[0].upper() + word[1:] for word in words), "_".join(words).lower()
    if keyword.iskeyword(snake) or camel in IMPORTED:
        raise ValueError(f"a name must not be one that the code uses itself, got {name!r}. Use one such as my-{name}.")
    made = Piece(kind, camel, snake)
    if taken := _taken(made):
        raise ValueError(f"{taken} is registered already. Choose another name for the {KINDS[kind].what}.")
    return made


def _taken(made: Piece) -> str | None:
    """Return what is registered already under one of the names that the piece registers."""
    from designgym.agents import agent_names
    from designgym.cost_models import cost_model_names, load_plugins
    from designgym.envs import problem_ids

    load_plugins()
    if made.kind == "agent":
        return f"agent {made.id!r}" if made.id in agent_names() else None
    if made.kind == "env" and made.id in problem_ids():
        return f"problem {made.id!r}"
    return f"cost model {made.camel!r}" if made.camel in cost_model_names() else None


def write_piece(made: Piece, directory: Path) -> list[Path]:
    """Write the piece's distribution and return its files. ValueError where the directory holds something already."""
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise ValueError(f"{directory} must be new or empty, got one that holds files. Give another --dir.")
    kind = KINDS[made.kind]
    targets = dict(ALWAYS)
    targets |= {module: f"{made.package}/{module}" for module in kind.modules}
    targets |= {f"init_{made.kind}.py": f"{made.package}/__init__.py", kind.test: f"tests/test_{made.snake}.py"}
    texts = {target: _filled(source, made) for source, target in targets.items()}
    for target, text in (texts | {f"{made.package}/py.typed": ""}).items():
        (directory / target).parent.mkdir(parents=True, exist_ok=True)
        (directory / target).write_text(text, encoding="utf-8")
    return sorted(directory / target for target in texts)


def _filled(source: str, made: Piece) -> str:
    from designgym.experiments.versions import versions

    text = (files("designgym.experiments.new") / "data" / f"{source}.txt").read_text(encoding="utf-8")
    kind = KINDS[made.kind]
    names = {
        "camel": made.camel,
        "snake": made.snake,
        "package": made.package,
        "distribution": made.distribution,
        "id": made.id,
        "what": kind.what,
        "version": versions()["designgym"],
        "modules": ", ".join(f"`{made.package}/{module}`" for module in kind.modules),
    }
    return Template(text).substitute(names, run=Template(kind.run).substitute(names))
