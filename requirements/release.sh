#!/bin/sh
# Makes a release in dist/, and tries it where no checkout is.
#
#   PYTHON=.venv/bin/python requirements/release.sh              all but the audit
#   PYTHON=... requirements/release.sh tools environment audit   known holes
#
# The steps are tools, build, environment, try, bill, sums, audit. Whatever it needs
# beside dist/ lies in build/release: the tools, and an environment with what a
# user gets, of which bill and audit speak.
set -eu
unset PYTHONPATH

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
sample=$(realpath "${SAMPLE:-$root/samples/five_scenes.mp4}")
work=$root/build/release
dist=$root/dist
tools=$work/tools/bin
user=$work/environment/bin
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$root/src/phar/__init__.py")

fresh() {
    rm -rf "$1"
    "$python" -m venv "$1"
}

make_tools() {
    [ -x "$tools/pip-audit" ] && [ "$tools/pip-audit" -nt "$root/requirements/release.txt" ] && return
    fresh "$work/tools"
    "$tools/python" -m pip install --quiet --disable-pip-version-check -r "$root/requirements/release.txt"
}

make_build() {
    rm -rf "$dist"
    "$tools/python" -m build --outdir "$dist" "$root"
}

make_environment() {
    fresh "$work/environment"
    PYTHON="$user/python" sh "$root/requirements/install.sh" torch packages
}

make_try() {
    # By name, so that no path of this machine is noted in what is installed.
    "$user/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
        --no-index --find-links "$dist" "phar==$version"
    rm -rf "$work/elsewhere"
    mkdir -p "$work/elsewhere"
    # No checkout in sight, and none on the path.
    (cd "$work/elsewhere" &&
        "$user/phar-demo" "$sample" out.json && "$user/phar-tags" out.json && "$user/phar" doctor)
}

make_bill() {
    "$tools/cyclonedx-py" environment --output-reproducible --of JSON -o "$dist/phar-$version.cdx.json" "$user/python"
    "$tools/pip-licenses" --python "$user/python" --from=mixed --with-urls --order=license --format=markdown \
        --output-file="$dist/phar-$version.licences.md"
}

make_sums() {
    (cd "$dist" && rm -f SHA256SUMS && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
}

make_audit() {
    packages=$("$user/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$tools/pip-audit" --progress-spinner=off --path "$packages" --format=json -o "$work/audit.json" || found=$?
    # Packages that could not be looked up count for nothing in its exit code.
    "$tools/python" - "$work/audit.json" <<'END' && return "${found:-0}"
import json, sys
packages = json.load(open(sys.argv[1]))["dependencies"]
skipped = [each["name"] for each in packages if "skip_reason" in each]
print(f"{len(packages) - len(skipped)} packages looked up, not {', '.join(skipped) or 'left out any'}")
sys.exit(len(skipped) > 5 and "release.sh: the list of known holes cannot be reached; audit where it can")
END
}

[ $# -gt 0 ] || set -- tools build environment try bill sums
for step; do
    case "$step" in
    tools | build | environment | try | bill | sums | audit) "make_$step" ;;
    *)
        echo "release.sh: step '$step' is unknown; use tools, build, environment, try, bill, sums, audit" >&2
        exit 2 ;;
    esac
done
