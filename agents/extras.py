"""Libraries that only an extra brings: imported late, and named with the remedy where they are missing."""

import importlib


def require(agent: str, extra: str, *modules: str) -> None:
    """ImportError, in one line with the remedy, where a module of this extra is missing."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            remedy = f"pip install 'designgym[{extra}]'"
            raise ImportError(f"{agent} needs {module}, which is not installed: {remedy}.") from error
