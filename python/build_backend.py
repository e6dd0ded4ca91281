"""The build backend: maturin, with a complete source distribution.

maturin packs the crates that the package depends on. The components are built by a build script, from other crates of the workspace, so the
source distribution contains the whole workspace.
"""

import io
import os
import pathlib
import tarfile
import tempfile

import maturin
from maturin import *  # noqa: F403

ROOT = pathlib.Path(__file__).resolve().parents[1]

#: What the source distribution contains, relative to the root of the repository. Cargo needs every member of the workspace.
SOURCES = ["Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "bench/compare/servers", "guest", "host", "python", "tests", "wit"]

#: The names of files and directories that it does not contain, besides hidden ones. `data` is only read by tests.
OMITTED = {"__pycache__", "data", "node_modules", "prebuilt", "target"}

#: What differs in its `pyproject.toml`, which is in the root and no longer needs this backend.
CHANGES = {
    'build-backend = "build_backend"\nbackend-path = ["."]': 'build-backend = "maturin"',
    'readme = "README.md"': 'readme = "python/README.md"',
    'python-source = "src"': 'manifest-path = "python/Cargo.toml"\npython-source = "python/src"',
    'testpaths = ["tests"]': 'testpaths = ["python/tests"]',
}


def build_sdist(sdist_directory, config_settings=None):
    """Writes the source distribution to a directory, and returns its name."""
    with tempfile.TemporaryDirectory() as directory:
        info = pathlib.Path(directory, maturin.prepare_metadata_for_build_wheel(directory))
        name = info.name.removesuffix(".dist-info")
        metadata = (info / "METADATA").read_bytes()
    project = (ROOT / "python/pyproject.toml").read_text()
    for before, after in CHANGES.items():
        if project.count(before) != 1:
            raise ValueError(f"pyproject.toml does not contain {before!r} once")
        project = project.replace(before, after)
    archive_name = f"{name}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, archive_name), "w:gz", dereference=True) as archive:
        for source in SOURCES:
            archive.add(ROOT / source, f"{name}/{source}", filter=_filter)
        for file, content in (("PKG-INFO", metadata), ("pyproject.toml", project.encode())):
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size, member.mtime = len(content), int((ROOT / "python/pyproject.toml").stat().st_mtime)
            archive.addfile(member, io.BytesIO(content))
    return archive_name


def _filter(member):
    name = pathlib.PurePath(member.name).name
    if name in OMITTED or name.startswith("."):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
