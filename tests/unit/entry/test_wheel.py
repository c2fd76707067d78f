"""What is built and not committed is in the wheel and the source distribution all the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = {"penstock/dashboard/index.html", "penstock/dashboard/assets/app-1.js"}


def test_the_dashboard_is_in_what_is_distributed(tmp_path: Path) -> None:
    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    for path in ("penstock/__init__.py", "penstock_services/__init__.py", *BUILT):
        file = tmp_path / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("", encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", "out"],
        cwd=tmp_path, capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    [wheel] = (tmp_path / "out").glob("*.whl")
    [source] = (tmp_path / "out").glob("*.tar.gz")
    assert set(zipfile.ZipFile(wheel).namelist()) >= BUILT
    with tarfile.open(source) as packed:
        names = {name.partition("/src/")[2] for name in packed.getnames()}
    assert names >= BUILT
