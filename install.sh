#!/bin/sh
# Installs cloudtoken from its releases, once there are any.
set -eu

main() {
  cat >&2 <<'END'
cloudtoken: error: there is no published release to install yet
cloudtoken: hint: build it from a clone of the repository (needs Node.js for npx):
cloudtoken: hint:   npx -y bun@1.4.5 run build
cloudtoken: hint:   install -m 755 dist/cloudtoken ~/.local/bin/cloudtoken
END
  exit 1
}

# The call stands last, so that a download cut short does nothing.
main "$@"
