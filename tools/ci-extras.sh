#!/usr/bin/env bash
# Install what `make test` uses where it finds it, and skips tests without: on Debian, as root. `.ci/run` calls this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# program:package
for each in chromium:chromium soffice:libreoffice-calc npm:npm; do
    command -v "${each%%:*}" >/dev/null && continue
    [ -n "${updated:-}" ] || apt-get update -qq
    updated=1
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${each#*:}"
done
make iam-simulator # decides requests as IAM does
make api-tools     # generate clients, and judge the API's description
make accessibility # judges whether pages can be used by everybody
