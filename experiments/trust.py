"""Signatures of what this user made on this machine: files that may run code when they are loaded.

HMAC-SHA256 (RFC 2104) with a key of 32 random bytes, made on first use, that only this user may read. It lies in the
file `key` of $DESIGNGYM_STATE_DIR, else of $XDG_STATE_HOME/designgym, else of ~/.local/state/designgym. Whoever signs
another kind of data begins it with words of its own, so that no signature of one kind is good for another.
"""

import hmac
import os
import secrets
import stat
from pathlib import Path

from designgym.cost_models.simulators.installed import state_directory

KEY_BYTE = 32


class TrustError(ValueError):
    """The key of this user cannot be used. One line."""


def key_file() -> Path:
    """Return where this user's key lies, or will lie."""
    return state_directory() / "key"


def sign(data: bytes) -> str:
    """Return the signature of data, 64 hexadecimal digits; makes the key where there is none. TrustError."""
    path = key_file()
    try:
        if not path.exists():
            _make_key(path)
        return _signature(_key(path), data)
    except OSError as error:
        raise _unusable(path, error) from None


def signed_here(data: bytes, signature: str) -> bool:
    """Whether this user signed these data on this machine; in a time that does not tell how much of it is right.

    Without a key this user has signed nothing. TrustError where there is one that cannot be used.
    """
    path = key_file()
    try:
        expected = _signature(_key(path), data)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unusable(path, error) from None
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


def _unusable(path: Path, error: OSError) -> TrustError:
    reason = (error.strerror or str(error)).lower()
    return TrustError(f"{path}, the key that signs, cannot be used: {reason}. Set DESIGNGYM_STATE_DIR.")


def _signature(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, "sha256").hexdigest()


def _key(path: Path) -> bytes:
    """Read the key; TrustError where others may have read it too, or it is none."""
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
        key = file.read()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise TrustError(
            f"{path} must be for its user alone, mode 600, for it signs. Run chmod 600 on it; if others may have read "
            "it, delete it: a new one is made, to which all that it signed is foreign."
        )
    if len(key) != KEY_BYTE:
        raise TrustError(f"{path} must hold a key of {KEY_BYTE} bytes, got {len(key)}. Delete it: a new one is made.")
    return key


def _make_key(path: Path) -> None:
    """Make the key, whole or not at all; where another process is first, its key stands."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTE))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(scratch, path)
        except FileExistsError:
            return
    finally:
        scratch.unlink(missing_ok=True)
