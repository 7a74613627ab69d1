"""Packaging of phar; the OpenMMLab packages are installed by requirements/install.sh."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent

#: Folders of the checkout that the installed package carries in phar/_resources.
RESOURCES = ("configs", "annotations", "checkpoints")
#: What lies in them but stays behind: caches, and checkpoints that were downloaded.
LEFT = ("__pycache__", "*.pyc", "*.pth", "*.part", "checkpoints.lock")
#: Folder of checkpoints/ that is filled by downloads alone.
FETCHED = "phar17"


class BuildWithResources(build_py):
    """Copies configs, label files and the bundled checkpoints into the package."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "phar" / "_resources"
        shutil.rmtree(target, ignore_errors=True)
        for name in RESOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target / name, ignore=left_out)


def left_out(folder: str, names: list[str]) -> set[str]:
    """Return which of the names in a folder of the checkout are not copied."""
    found = set(shutil.ignore_patterns(*LEFT)(folder, names))
    return found | {FETCHED} if Path(folder) == ROOT / "checkpoints" else found


def requirements(name: str) -> list[str]:
    """Return the requirement specifiers of one file in requirements/, without comments."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [spec for spec in (line.split("#")[0].strip() for line in lines) if spec]


def version() -> str:
    """Return the version that phar/__init__.py states."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/phar/__init__.py").read_text(), re.M)
    if found is None:
        raise RuntimeError("src/phar/__init__.py states no __version__")
    return found[1]


setup(
    name="phar",
    version=version(),
    description="Says which action happens when in a long video.",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.12",
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"": ["*.json", "*.yaml", "*.sql"], "phar.export": ["page/*"], "phar.serve": ["page/*"]},
    install_requires=requirements("runtime.txt"),
    cmdclass={"build_py": BuildWithResources},
    entry_points={
        "console_scripts": [
            "phar = phar.cli.main:main",
            "phar-demo = phar.cli.demo:main",
            "phar-tags = phar.cli.tags:main",
        ]
    },
)
