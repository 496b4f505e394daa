"""Files are written whole or not at all."""

import errno
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import edasim
from edasim.core.files import NotWritten, write_whole
from edasim.scenario.value import Scenario
from edasim.study.compare import compare

PACKAGE = Path(edasim.__file__).parent


class FullDisk:
    """A stream that takes so many bytes, and then there is no space left."""

    def __init__(self, path: Path, mode: str, room: int) -> None:
        self._file, self._room = path.open(mode), room

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> None:
        self._file.write(content[: self._room])
        if len(content) > self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of over 1,000 bytes is too large for the disk."""
    monkeypatch.setattr("edasim.core.files.open", lambda path, mode: FullDisk(path, mode, 1_000), raising=False)


def test_a_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "text", "größer\r\n").read_bytes() == "größer\r\n".encode()
    assert write_whole(tmp_path / "bytes", b"\x00\xff").read_bytes() == b"\x00\xff"
    assert write_whole(str(tmp_path / "text"), "new").read_text() == "new"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bytes", "text"]


def test_a_file_may_be_read_by_whom_the_system_allows(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(write_whole(tmp_path / "whole", "").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_earlier_file_whole_and_nothing_half(tmp_path: Path) -> None:
    file = write_whole(tmp_path / "comparison.json", "finished")
    with pytest.raises(NotWritten) as refused:
        write_whole(file, "x" * 1_001)
    assert str(refused.value) == f"{file}: not written (No space left on device); what was there before is whole"
    assert (refused.value.errno, refused.value.filename) == (errno.ENOSPC, str(file))
    assert file.read_text() == "finished"
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_folder_is_a_sentence_about_the_file(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match=r"none/file: not written .No such file or directory"):
        write_whole(tmp_path / "none" / "file", "x")


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "verdict.txt"
    elsewhere.write_text("mine")
    link.symlink_to(elsewhere)
    write_whole(link, "new")
    assert (elsewhere.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)


def test_what_is_interrupted_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_whole(tmp_path / "verdict.txt", "finished")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edasim.core.files.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "new")
    assert file.read_text() == "finished"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_comparison_that_was_finished(tmp_path: Path) -> None:
    shop = Scenario.from_dict({
        "title": "Small", "orders": 20,
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "40/s"}},
        "services": {"payment": {"handles": "OrderPlaced", "work": "10ms"}},
    })  # fmt: skip
    (tmp_path / "slide.png").write_bytes(b"the picture of before")
    with pytest.raises(NotWritten, match=r"comparison\.json: not written .No space left on device"):
        compare(shop, replications=1).save(tmp_path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("slide.png", b"the picture of before")]


def test_a_real_full_disk_too(tmp_path: Path) -> None:
    """A file system of 64 kB, where whoever runs the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system of its own is not allowed here")
    try:
        file = write_whole(disk / "numbers.json", "a" * 40_000)
        with pytest.raises(NotWritten, match="No space left on device"):
            write_whole(file, "b" * 40_000)
        assert file.read_text() == "a" * 40_000
        assert list(disk.iterdir()) == [file]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_whoever_writes_results_writes_them_whole() -> None:
    """No other writer is in the package: a new one takes `write_whole`, or says here why it need not."""
    allowed = {
        "core/files.py": "it is the one",
        "commands/doctoring.py": "an empty file that shows whether this folder can be written to",
        "commands/opening.py": "a folder of its own that is gone afterwards",
        "commands/options.py": "an empty file that shows whether the folder can be written to",
    }
    writes = re.compile(r"\.write_(?:text|bytes)\(|\bopen\([^)]*[\"'][rb]*[wax+]|\.touch\(|savefig\((?!page)")
    found = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if writes.search(file.read_text("utf-8"))}
    assert found == set(allowed)
