"""The wheel and the editable install, each in a fresh environment and used from outside the checkout."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "ARCHSIM_PATH")}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, CHECKOUT, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The folder of commands of an environment that has archsim's dependencies, and no archsim."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=True, symlinks=os.name != "nt")
    (packages,) = home.glob("lib/python*/site-packages")
    # A plain path entry: nothing that is installed there in editable mode is taken over with it.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return home / "bin"


def test_the_wheels_only_top_level_name_is_archsim(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"archsim"}
    for folder in ("configs", "tiles", "workloads"):
        shipped = {f"archsim/data/{folder}/{path.name}" for path in (CHECKOUT / folder).iterdir() if path.is_file()}
        assert shipped <= set(names)
        assert all(name.endswith(".yaml") for name in shipped)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "archsim/testing.py" in names
    assert not any("test_" in name or "__pycache__" in name for name in names)


def check_installed(commands: Path, outside: Path, root: Path) -> None:
    entries = json.loads(run(commands / "archsim", "list", "--json", "-", cwd=outside))
    names = {(entry["kind"], entry["name"]) for entry in entries}
    for kind, folder in (("chip", "configs"), ("tile", "tiles"), ("workload", "workloads")):
        assert {(kind, path.stem) for path in (CHECKOUT / folder).glob("*.yaml")} <= names
    assert {"isaac-ce", "puma"} <= {name for _, name in names}
    shown = json.loads(run(commands / "archsim", "show", "isaac-ce", "--json", "-", cwd=outside))
    assert shown["peak"]["tops"] == pytest.approx(41.29, abs=0.005)
    where = run(commands / "python", "-c", "import archsim; print(archsim.__file__)", cwd=outside).strip()
    assert Path(where).is_relative_to(root)


def test_the_installed_wheel_finds_its_libraries_outside_the_checkout(wheel: Path, fresh: Path, tmp_path: Path) -> None:
    run(fresh / "python", "-m", "pip", "install", "--no-deps", wheel, cwd=tmp_path)
    check_installed(fresh, tmp_path, fresh.parent)


def test_the_editable_install_finds_its_libraries_outside_the_checkout(fresh: Path, tmp_path: Path) -> None:
    run(fresh / "python", "-m", "pip", "install", "--no-deps", "--editable", CHECKOUT, cwd=tmp_path)
    check_installed(fresh, tmp_path, CHECKOUT)
