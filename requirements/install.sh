#!/bin/sh
# Installs phar and all it needs into the Python environment named by $PYTHON.
#
#   PYTHON=.venv/bin/python requirements/install.sh          CPU wheels
#   PHAR_TORCH=cuda PYTHON=... requirements/install.sh       CUDA wheels
#   PHAR_EDITABLE=0 PYTHON=... requirements/install.sh       a copy, not a link
#   PYTHON=... requirements/install.sh torch packages        some of its steps
#
# The steps are torch, packages, phar. make and the Docker images use this
# script and nothing else; they name steps so as to repeat only what changed.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
torch_version=2.13.0
cpu_index=https://download.pytorch.org/whl/cpu

install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

# torch comes first and alone: a range in another package would otherwise pull
# the CUDA build, gigabytes of it.
install_torch() {
    case "${PHAR_TORCH:-cpu}" in
    cpu)
        install "torch==$torch_version+cpu" 2>/dev/null ||
            install --extra-index-url "$cpu_index" "torch==$torch_version+cpu" ;;
    cuda)
        install "torch==$torch_version" ;;
    *)
        echo "install.sh: PHAR_TORCH is '$PHAR_TORCH'; use cpu or cuda" >&2
        exit 2 ;;
    esac
}

install_packages() {
    install -r "$root/requirements/runtime.txt"

    install --no-deps -r "$root/requirements/no-deps.txt" -r "$root/requirements/openmmlab.txt"
    # A compiled mmcv that is already there is left alone and used. mmcv-lite comes
    # as a source archive of pure Python that needs pkg_resources to build.
    if ! "$python" -c 'import importlib.metadata as m; m.version("mmcv")' 2>/dev/null; then
        install 'setuptools<81' wheel
        install --no-deps --no-build-isolation mmcv-lite==2.1.0
    fi
}

install_phar() {
    if [ "${PHAR_EDITABLE:-1}" = 1 ]; then
        install --no-deps --no-build-isolation -e "$root"
    else
        install --no-deps --no-build-isolation "$root"
    fi
}

[ $# -gt 0 ] || set -- torch packages phar
for step; do
    case "$step" in
    torch | packages | phar) "install_$step" ;;
    *)
        echo "install.sh: step '$step' is unknown; use torch, packages, phar" >&2
        exit 2 ;;
    esac
done
