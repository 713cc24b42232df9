#!/bin/sh
# install.sh of the dev container feature: runs as root while the container is built, options come as variables.
# cloudtoken.sh beside it is the install.sh of the release.
set -eu

has() {
  command -v "$1" >/dev/null 2>&1
}

if has apk; then
  # Alpine has everything but the C++ library; its busybox downloads.
  apk add --no-cache ca-certificates libstdc++
elif ! has curl && ! has wget; then
  if has apt-get; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates curl
    rm -rf /var/lib/apt/lists/*
  elif has dnf; then
    dnf install -y ca-certificates curl
  fi
fi

# For everybody in the container, completions too.
export XDG_DATA_HOME=/usr/local/share XDG_CONFIG_HOME=/etc
sh "${0%/*}/cloudtoken.sh" --version "$VERSION" --base-url "$BASEURL" --dir /usr/local/bin
