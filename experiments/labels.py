"""What the entries of a sweep are called: by name, and by the settings that tell one from another of that name."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from designgym.experiments.plain import plain


def labels_of(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Name each entry by its name, and where a name occurs with several settings by those settings that differ."""
    texts = [{key: json.dumps(plain(value), sort_keys=True) for key, value in given.items()} for _, given in entries]
    of_name: dict[str, list[dict[str, str]]] = {}
    for (name, _), one in zip(entries, texts, strict=True):
        of_name.setdefault(name, []).append(one)
    differing = {
        name: {key for key in set().union(*ones) if len({one.get(key) for one in ones}) > 1}
        for name, ones in of_name.items()
    }
    labels = []
    for name, given in entries:
        text = ", ".join(f"{key}={_brief(value)}" for key, value in given.items() if key in differing[name])
        labels.append(f"{name}({text})" if text else name)
    return labels


def _brief(value: Any) -> str:
    given = plain(value)
    if given is None:
        return "default"
    if not isinstance(given, dict):
        return str(given)
    kept = {key: item for key, item in given.items() if item not in (None, [], {}) and key != "kind"}
    return " ".join(f"{key}:{item}" for key, item in kept.items())
