"""Files inside an evaluation's directory: names that lead elsewhere are refused, links are not followed."""

import contextlib
import os
from pathlib import Path

import pytest

from designgym.cost_models.simulators.spec import SimulatorError
from designgym.cost_models.simulators.trial_directory import Unreadable, inside_name, put, read_inside, trial_directory


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a/..", ".", "", "./", ".tmp/x", ".tmp"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(
        SimulatorError, match=r"files: a file('s name)? must (lie in the evaluation's directory|hold no)"
    ):
        inside_name("files", name)


@pytest.mark.parametrize("name", ["{rows}.cfg", "a}", "{{x}}"])
def test_names_hold_no_placeholders(name: str) -> None:
    with pytest.raises(SimulatorError, match="files: a file's name must hold no placeholders or braces, got"):
        inside_name("files", name)


def test_names_have_one_spelling() -> None:
    assert [inside_name("", name) for name in ("a", "./a", "a//b/./c", "..a/b..")] == ["a", "a", "a/b/c", "..a/b.."]


def test_a_directory_is_ours_alone_and_is_removed(trials: Path) -> None:
    with contextlib.suppress(RuntimeError), trial_directory("sim") as trial:
        assert trial.path.parent == trials
        assert trial.path.stat().st_mode & 0o777 == 0o700
        (trial.path / "a" / "b").mkdir(parents=True)
        (trial.path / "away").symlink_to(trials.parent)
        os.chmod(trial.path / "a", 0)
        raise RuntimeError("whatever")
    assert list(trials.iterdir()) == []
    assert trials.parent.exists()
    with trial_directory("sim") as trial:
        trial.kept = True
    assert list(trials.iterdir()) == [trial.path]


def test_a_directory_of_any_depth_is_removed(trials: Path) -> None:
    for name, depth in (("d" * 200, 60), ("d", 3000)):
        with trial_directory("sim") as trial:
            here = os.open(trial.path, os.O_RDONLY)
            for _ in range(depth):
                os.mkdir(name, dir_fd=here)
                below = os.open(name, os.O_RDONLY, dir_fd=here)
                os.close(here)
                here = below
            os.close(os.open("file", os.O_CREAT, dir_fd=here))
            os.fchmod(here, 0)
            os.close(here)
        assert list(trials.iterdir()) == []


@pytest.mark.parametrize("instead", ["nothing", "link", "file"])
def test_a_directory_that_the_simulator_took_away_is_no_failure(trials: Path, tmp_path: Path, instead: str) -> None:
    (tmp_path / "kept").mkdir(mode=0o755)
    with trial_directory("sim") as trial:
        trial.path.rmdir()
        if instead == "link":
            trial.path.symlink_to(tmp_path)
        elif instead == "file":
            trial.path.write_text("x")
        with pytest.raises(Unreadable, match=r"^kept is not there, and its directory is gone"):
            read_inside(trial.path, "kept")
    assert list(trials.iterdir()) == []
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o755


def test_inputs_are_copies(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("#!/bin/sh")
    source.chmod(0o755)
    (tmp_path / "trial").mkdir()
    put(tmp_path / "trial", {"a/text": "ü\r\n"}, {"a/copy": source})
    copy = tmp_path / "trial" / "a" / "copy"
    assert os.access(copy, os.X_OK)
    copy.write_text("changed")
    assert source.read_text() == "#!/bin/sh"
    assert read_inside(tmp_path / "trial", "a/text") == "ü\r\n".encode()


def test_what_is_no_file_of_its_own_is_not_read(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / "real").mkdir(parents=True)
    (inside / "real" / "out").write_text("1")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "dangling").symlink_to(outside / "nothing")
    (inside / "folder").symlink_to(outside)
    (inside / "real" / "folder").symlink_to("../real")
    os.link(outside / "secret", inside / "hard")
    os.mkfifo(inside / "pipe")
    for name, why in {
        "link": "must not be a link or lie behind one", "dangling": "must not be a link or lie behind one",
        "folder/secret": "must not be a link or lie behind one", "real/folder/out": "must not be a link or lie behind",
        "hard": "must be a file of the simulator's own", "pipe": "must be a file of the simulator's own",
        "real": "must be a file of the simulator's own", "real/out/x": "cannot be read: not a directory",
        "none": "is not there", "none/out": "is not there",
    }.items():  # fmt: skip
        with pytest.raises(Unreadable, match=f"^{name} {why}"):
            read_inside(inside, name)
    assert read_inside(inside, "real/out") == b"1"


def test_at_most_10_mib_are_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(10 * 2**20)
    assert len(read_inside(tmp_path, "large")) == 10 * 2**20
    os.truncate(tmp_path / "large", 10 * 2**20 + 1)
    with pytest.raises(Unreadable, match="large must have at most 10485760 bytes, got 10485761"):
        read_inside(tmp_path, "large")


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "x").write_text("1")
    for name in ("x", "x/y", "none/z", "."):
        try:
            read_inside(tmp_path, name)
        except Unreadable:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
