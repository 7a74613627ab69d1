#!/bin/sh
# Brings Chromium and chromedriver for the tests of the report page: nothing is
# done where both are on PATH, and Debian's packages are installed where this is
# root on a Debian. Elsewhere those tests skip.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        chromium chromium-driver fonts-dejavu-core >/dev/null
}

if have chromedriver && { have chromium || have google-chrome; }; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && have apt-get; then
    # A fresh machine has no package lists yet.
    if install || { apt-get update -qq && install; }; then
        exit 0
    fi
fi
echo "browser.sh: no Chromium with chromedriver on PATH; the report page is not tested in a browser" >&2
echo "browser.sh: on Debian: apt-get install chromium chromium-driver fonts-dejavu-core" >&2
