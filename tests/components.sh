#!/bin/sh
# Bring in what the tests need beyond Python packages, and say loudly what could not be had.
# The tests themselves fail, and do not skip, where a component is missing.
set -u

has_chromium() { [ -n "${SHOPBOT_CHROMIUM:-}" ] || command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_postgres() { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; }

missing=""
has_chromium >/dev/null 2>&1 || missing="$missing chromium"
has_postgres >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null; then
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    echo "installing$missing for the tests ..."
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null
fi
has_chromium >/dev/null 2>&1 || echo "!!! No Chromium: the browser tests are going to FAIL. Install it, or set SHOPBOT_CHROMIUM." >&2
has_postgres >/dev/null 2>&1 || echo "!!! No Postgres server: its tests are going to FAIL. Install PostgreSQL." >&2
exit 0
