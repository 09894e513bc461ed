"""Policies that training runs keep: DIR/policies/KEY/ holds the files that the agent gave, and policy.json about them.

policy.json: format, agent, label, hyperparameters, env, options, seed, trials, key (of the run), versions, files
(SHA-256 of each by name) and signature, over the canonical JSON of all the rest. Files of agents over
Stable-Baselines3 can run code when they are loaded: `KeptPolicy.trusted` says whether this user made them on this
machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.experiments.files import BROKEN, explained, replace_safely
from designgym.experiments.trust import sign, signed_here

POLICIES = "policies"
ABOUT = "policy.json"
FORMAT = "designgym policy 1"  # signed with the rest: no signature of another kind of file is good for this one


class PolicyError(ValueError):
    """A folder holds no policy that can be used. One line; it names the folder."""


@dataclass(frozen=True)
class KeptPolicy:
    """A policy as its folder holds it. about: what policy.json says; files: those of the agent, as they are hashed."""

    folder: Path
    about: dict[str, Any]
    files: dict[str, bytes]

    @property
    def trusted(self) -> bool:
        """Whether this user kept it on this machine, just as it is. TrustError where the key cannot be used."""
        rest = {name: value for name, value in self.about.items() if name != "signature"}
        return signed_here(canonical(rest), str(self.about.get("signature", "")))


def canonical(about: Mapping[str, Any]) -> bytes:
    """Return what is signed: JSON with sorted keys and no spaces."""
    return json.dumps(about, sort_keys=True, separators=(",", ":")).encode()


def write_policy(folder: Path, about: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Keep a policy, whole or not at all, in place of what is in the folder. TrustError; WriteError.

    about: what policy.json says of it, without format, files and signature, which come here.
    """
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    told = {**about, "format": FORMAT, "files": hashes}
    told["signature"] = sign(canonical(told))
    scratch = folder.with_name(folder.name + ".tmp")
    with explained(folder):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            for name, data in {**files, ABOUT: json.dumps(told, indent=1).encode() + b"\n"}.items():
                with open(scratch / name, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            if folder.exists():
                shutil.rmtree(folder)
            replace_safely(scratch, folder)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise


def read_policy(folder: Path) -> KeptPolicy:
    """Return the policy in a folder. PolicyError where there is none, or its files are not those that were kept."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        hashes, form = {str(name): str(wanted) for name, wanted in about["files"].items()}, about["format"]
    except FileNotFoundError:
        raise PolicyError(f"{folder} holds no policy: it has no {ABOUT}. Give the folder of a kept policy.") from None
    except (*BROKEN, AttributeError):
        raise PolicyError(f"{folder / ABOUT} is damaged. Train again: the same command makes it anew.") from None
    if form != FORMAT:
        wrong = f"{folder / ABOUT} must be of format {FORMAT!r}, got {form!r}"
        raise PolicyError(f"{wrong}. Use the designgym that wrote it.")
    files = {}
    for name, wanted in hashes.items():
        path = folder / Path(name).name  # whatever it says, no other folder is read
        try:
            files[name] = path.read_bytes()
        except OSError:
            raise PolicyError(f"{path} is missing. Train again: the same command makes it anew.") from None
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            raise PolicyError(f"{path} is not the file that was kept. Train again: the same command makes it anew.")
    return KeptPolicy(folder, about, files)


def is_kept(folder: Path) -> bool:
    """Whether a folder holds a policy that is whole."""
    try:
        read_policy(folder)
    except PolicyError:
        return False
    return True


def policy_folders(directory: Path) -> list[Path]:
    """Return the folders of the policies of a training sweep, or the one folder where that is what is given.

    Those of runs that the sweep held before, and holds no more, are left out. PolicyError where there is none.
    """
    from designgym.experiments.log import read_index

    if (directory / ABOUT).exists():
        return [directory]
    found = sorted(path.parent for path in directory.glob(f"{POLICIES}/*/{ABOUT}") if path.parent.suffix != ".tmp")
    if (directory / "sweep.json").exists():
        keys = {run["key"] for run in read_index(directory)["runs"]}
        found = [folder for folder in found if folder.name in keys]
    if not found:
        raise PolicyError(
            f"{directory} holds no policy. Give the directory of `designgym train` or of a sweep of kind training, or "
            "the folder of a policy."
        )
    return found
