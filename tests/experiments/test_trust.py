"""What this user signed on this machine is told from everything else."""

import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from designgym.experiments.trust import TrustError, key_file, sign, signed_here


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_was_signed_here_is_known_and_nothing_else(state) -> None:
    signature = sign(b"a policy")
    assert signed_here(b"a policy", signature)
    assert not signed_here(b"another", signature)
    assert not signed_here(b"a policy", signature[:-1] + ("0" if signature[-1] != "0" else "1"))
    assert not signed_here(b"a policy", "")
    assert not signed_here(b"a policy", "kein Schlüssel")
    assert not signed_here(b"a policy", "\ud800")
    assert signature == sign(b"a policy"), "the key stays"
    assert signature == hmac.new((state / "key").read_bytes(), b"a policy", hashlib.sha256).hexdigest()


def test_another_user_or_machine_has_another_key(state, tmp_path, monkeypatch) -> None:
    signature = sign(b"a policy")
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "elsewhere"))
    assert not signed_here(b"a policy", signature)
    assert not (tmp_path / "elsewhere").exists(), "a look makes no key"
    assert sign(b"a policy") != signature


def test_the_key_is_for_its_user_alone(state) -> None:
    signature = sign(b"a policy")
    key = state / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == ["key"]
    key.chmod(0o640)
    for use in (sign, lambda data: signed_here(data, signature)):
        with pytest.raises(TrustError, match=r"mode 600.*Run chmod 600 on it; if others may have read it, delete it"):
            use(b"a policy")
    key.chmod(0o600)
    key.write_bytes(b"short")
    for use in (sign, lambda data: signed_here(data, signature)):
        with pytest.raises(TrustError, match="32 bytes, got 5"):
            use(b"a policy")


def test_a_key_that_cannot_be_made_is_said_in_one_line(state) -> None:
    state.write_text("a file")
    with pytest.raises(TrustError, match=r"key that signs, cannot be used.*Set DESIGNGYM_STATE_DIR"):
        sign(b"a policy")


def test_where_the_key_lies(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("DESIGNGYM_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert key_file() == tmp_path / "designgym" / "key"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert key_file() == Path("/home/someone/.local/state/designgym/key")


def test_processes_that_begin_at_once_sign_with_one_key(state) -> None:
    code = "from designgym.experiments.trust import sign; print(sign(b'x'))"
    each = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate()[0] for process in each}) == 1
