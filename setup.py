"""Packaging of phar; the OpenMMLab packages are installed by requirements/install.sh."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Return the requirement specifiers of one file in requirements/, without comments."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [spec for spec in (line.split("#")[0].strip() for line in lines) if spec]


setup(
    name="phar",
    version="0.1.0",
    description="Says which action happens when in a long video.",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",
    package_dir={"": "src"},
    packages=find_packages("src"),
    install_requires=requirements("runtime.txt"),
    entry_points={
        "console_scripts": [
            "phar = phar.cli.main:main",
            "phar-demo = phar.cli.demo:main",
            "phar-tags = phar.cli.tags:main",
        ]
    },
)
