#!/bin/sh
# Bring in what the tests need beyond Python packages, and say loudly what could not be had.
# The tests themselves fail, and do not skip, where a component is missing.
set -u
if [ -n "${SHOPBOT_CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    echo "installing chromium for the browser tests ..."
    { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends chromium; } >/dev/null && exit 0
fi
echo "!!! Chromium could not be installed: the browser tests are going to FAIL." >&2
echo "!!! Install Chromium or Chrome by hand, or point SHOPBOT_CHROMIUM at its executable." >&2
