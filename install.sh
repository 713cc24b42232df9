#!/bin/sh
# Installs cloudtoken: picks the build for this machine, verifies it, puts it in place in one step.
# Usage: sh install.sh [--version V] [--dir DIR] [--base-url URL] [--binary FILE] [--no-completions] [--dry-run]
#        sh install.sh --uninstall [--purge] [--dir DIR]
set -eu

# Both are the same as in package.json, where they are set; empty as long as there is no published release.
releases=''
release_key=''

main() {
  # zsh does not split words as sh does unless it is told to.
  if [ -n "${ZSH_VERSION-}" ]; then emulate sh; fi
  umask 022
  staging=''
  trap clean EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  read_options "$@"
  target=$dir/cloudtoken
  if [ -n "$uninstall" ]; then remove_all; else install_one; fi
}

read_options() {
  version='' dir='' base=$releases binary='' dry='' uninstall='' purge='' completions=yes
  while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
      --version=* | --dir=* | --base-url=* | --binary=*)
        value=${option#*=}
        option=${option%%=*}
        ;;
      --version | --dir | --base-url | --binary)
        [ $# -gt 0 ] || fail 2 "$option needs a value"
        value=$1
        shift
        ;;
    esac
    case $option in
      --version) version=${value#v} ;;
      --dir) dir=$value ;;
      --base-url) base=${value%/} ;;
      --binary) binary=$value ;;
      --dry-run) dry=yes ;;
      --uninstall) uninstall=yes ;;
      --purge) purge=yes ;;
      --no-completions) completions='' ;;
      -h | --help) usage ;;
      *) fail 2 "unknown option $option" 'sh install.sh --help' ;;
    esac
  done
  [ -z "$purge" ] || [ -n "$uninstall" ] || fail 2 '--purge goes with --uninstall' 'sh install.sh --uninstall --purge'
  [ -n "${HOME-}" ] || [ -n "$dir" ] || fail 2 'HOME is not set, so there is no place to install to' \
    'sh install.sh --dir DIR'
  [ -n "$dir" ] || dir=$HOME/.local/bin
  case $dir in
    /*) ;;
    *) dir=$PWD/$dir ;;
  esac
}

usage() {
  cat <<'END'
install.sh: installs cloudtoken for the person who runs it; never asks for root by itself

  --version V        this release instead of the latest
  --dir DIR          folder for the program (default: ~/.local/bin)
  --base-url URL     where the releases are; https, or a server on this machine
  --binary FILE      install FILE, without any download
  --no-completions   no completions for bash, zsh and fish
  --dry-run          say what would be done, and do nothing
  --uninstall        remove the program and its completions
  --purge            with --uninstall: sign out, and remove configuration and state too
END
  exit 0
}

install_one() {
  if [ -n "$binary" ]; then
    [ -f "$binary" ] || fail 2 "there is no file $binary"
    source=$binary
  else
    find_platform
    find_release
  fi
  if [ -n "$dry" ]; then
    say "would take $source"
    [ -n "$binary" ] || say "would verify SHA-256 $sum"
    say "would write $target"
    [ -z "$completions" ] || completion_files | while read -r shell file; do say "would write $file ($shell)"; done
    exit 0
  fi
  stage
  if [ -n "$binary" ]; then
    cp "$binary" "$staging/cloudtoken" || fail 1 "cannot write to $dir"
  else
    download "$source" "$staging/download"
    verify "$staging/download" "$sum" "$source"
    unpack <"$staging/download" >"$staging/cloudtoken" || fail 1 "cannot unpack into $dir" "df -h $dir"
  fi
  chmod 755 "$staging/cloudtoken"
  try_out
  if [ -d "$target" ]; then fail 1 "$target is a folder"; fi
  # A rename: whoever runs the old program keeps it, and nobody ever sees half of the new one.
  mv -f "$staging/cloudtoken" "$target" || fail 1 "cannot write $target"
  say "installed $now in $target"
  [ -z "$completions" ] || write_completions
  path_hint
}

# Which of the builds fits: system, processor, C library.
find_platform() {
  system=$(uname -s)
  processor=$(uname -m)
  case $system in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    MINGW* | MSYS* | CYGWIN*) fail 1 'this script is not for Windows' 'install.ps1 is: docs/install.md' ;;
    *) fail 1 "there is no build for $system" ;;
  esac
  case $processor in
    x86_64 | amd64) processor=x64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) fail 1 "there is no build for $system on $processor" ;;
  esac
  # A 64-bit kernel may carry 32-bit programs only.
  if has getconf && [ "$(getconf LONG_BIT 2>/dev/null)" = 32 ]; then fail 1 'there is no build for 32-bit systems'; fi
  # Under Rosetta an Apple processor says it is an Intel one.
  if [ "$system-$processor" = darwin-x64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
    processor=arm64
  fi
  platform=$system-$processor
  if [ "$system" = linux ] && is_musl; then platform=$platform-musl; fi
}

# glibc counts where both are: Debian's package musl brings the loader only.
is_musl() {
  case $(ldd --version 2>&1 || true) in
    *musl*) return 0 ;;
    *GLIBC* | *GNU* | *'Free Software Foundation'*) return 1 ;;
  esac
  for loader in /lib/ld-linux-*.so.* /lib64/ld-linux-*.so.*; do
    if [ -e "$loader" ]; then return 1; fi
  done
  for loader in /lib/ld-musl-*.so.1; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

# Sets source and sum: the smallest download that can be unpacked here. The layout is that of GitHub's releases.
find_release() {
  if [ -z "$base" ]; then
    printf '%s\n' 'cloudtoken: error: there is no published release to install yet' \
      'cloudtoken: hint: build it from a clone of the repository (needs Node.js for npx):' \
      'cloudtoken: hint:   npx -y bun@1.4.5 run build' \
      'cloudtoken: hint:   sh install.sh --binary dist/cloudtoken' >&2
    exit 1
  fi
  case $base in
    https://* | http://127.0.0.1[:/]* | http://127.0.0.1 | http://localhost[:/]* | http://localhost | http://\[::1\]*) ;;
    *) fail 2 "$base is not an https address" ;;
  esac
  case $version in
    '') folder=$base/latest/download ;;
    *[!0-9A-Za-z.+-]*) fail 2 "$version is not a version" ;;
    *) folder=$base/download/v$version ;;
  esac
  if ! has sha256sum && ! has shasum && ! has openssl; then
    fail 1 'nothing here can verify a checksum' 'install one of sha256sum, shasum, openssl'
  fi
  lists=$(mktemp -d) || fail 1 'cannot make a temporary folder'
  download "$folder/SHA256SUMS" "$lists/SHA256SUMS"
  if [ -n "$release_key" ]; then verify_signature "$folder" "$lists/SHA256SUMS"; fi
  sum='' file=''
  for format in xz zst gz; do
    can_unpack "$format" || continue
    while read -r sum file; do
      file=${file#\*}
      if is_wanted "$file"; then break 2; fi
    done <"$lists/SHA256SUMS"
    sum='' file=''
  done
  rm -rf "$lists"
  lists=''
  [ -n "$file" ] || fail 1 "$folder has no build for $platform"
  if [ -z "$version" ]; then
    version=${file#cloudtoken-}
    version=${version%"-$platform.$format"}
  fi
  source=$base/download/v$version/$file
}

# By minisign, or by an OpenSSL that takes Ed25519; where neither is, the checksums have to do.
verify_signature() {
  if has minisign; then
    download "$1/SHA256SUMS.minisig" "$2.minisig"
    minisign -Vqm "$2" -P "$release_key" >&2 || fail 1 'the signature of the release is not good'
  elif has openssl && openssl pkeyutl -help 2>&1 | grep -q -e -rawin; then
    download "$1/SHA256SUMS.minisig" "$2.minisig"
    # A key is two letters, eight bytes of a number and the key itself; in front of it goes the head of its DER form (RFC 8410).
    printf '%s\n' '-----BEGIN PUBLIC KEY-----' \
      "MCowBQYDK2VwAyEA$(printf '%s' "$release_key" | openssl base64 -d -A | tail -c 32 | openssl base64)" \
      '-----END PUBLIC KEY-----' >"$2.pem"
    sed -n 2p "$2.minisig" | openssl base64 -d -A | tail -c 64 >"$2.signature"
    openssl pkeyutl -verify -pubin -inkey "$2.pem" -rawin -in "$2" -sigfile "$2.signature" >/dev/null 2>&1 ||
      fail 1 'the signature of the release is not good'
  else
    say 'the signature is not verified: neither minisign nor OpenSSL 3 is here'
  fi
}

# Is this file name of SHA256SUMS the build for here, of the version asked for?
is_wanted() {
  case $1 in
    *[!0-9A-Za-z.+-]*) return 1 ;;
    cloudtoken-[0-9]*-"$platform.$format") [ -z "$version" ] || [ "$1" = "cloudtoken-$version-$platform.$format" ] ;;
    *) return 1 ;;
  esac
}

can_unpack() {
  case $1 in
    xz) has xz ;;
    zst) has zstd ;;
    gz) has gzip ;;
  esac
}

unpack() {
  case $format in
    xz) xz -dc ;;
    zst) zstd -dcq --long=27 ;;
    gz) gzip -dc ;;
  esac
}

# The new program is made beside the old one: same file system, and a missing permission shows before the download.
stage() {
  mkdir -p "$dir" 2>/dev/null || fail 1 "cannot create $dir" 'sh install.sh --dir DIR'
  staging=$(mktemp -d "$dir/.cloudtoken.XXXXXX" 2>/dev/null) || fail 1 "cannot write to $dir" 'sh install.sh --dir DIR'
}

download() {
  code=0
  if has curl; then
    case $1 in
      https:*) curl -fsSL --proto =https --connect-timeout 20 --retry 2 -o "$2" "$1" || code=$? ;;
      *) curl -fsSL --connect-timeout 20 -o "$2" "$1" || code=$? ;;
    esac
    if [ $code = 23 ]; then fail 1 "cannot write to ${2%/*}" "df -h ${2%/*}"; fi
  elif has wget; then
    # No time limit: the static busybox of Debian does not survive one.
    wget -q -O "$2" "$1" || code=$?
    if [ $code = 3 ]; then fail 1 "cannot write to ${2%/*}" "df -h ${2%/*}"; fi
  else
    fail 1 'neither curl nor wget is here to download with' 'sh install.sh --binary FILE'
  fi
  [ $code = 0 ] || fail 30 "cannot download $1" 'check the address, the network and the proxy (HTTPS_PROXY)'
}

verify() {
  if has sha256sum; then
    actual=$(sha256sum <"$1")
  elif has shasum; then
    actual=$(shasum -a 256 <"$1")
  else
    actual=$(openssl dgst -sha256 -r <"$1")
  fi
  actual=${actual%% *}
  if [ "$actual" != "$2" ]; then
    fail 1 "the checksum of $3 is wrong: $actual instead of $2" 'nothing was installed; try again later'
  fi
}

# Nothing is declared installed that does not run here.
try_out() {
  code=0
  now=$("$staging/cloudtoken" --version 2>"$staging/trouble") || code=$?
  case $code:$now in
    "0:cloudtoken ${version:-${now#cloudtoken }}") return 0 ;;
  esac
  cat "$staging/trouble" >&2
  hint=''
  case $code:${platform-} in
    137:darwin-*) hint='macOS stops programs whose signature is broken: codesign -v cloudtoken' ;;
    0:*) fail 1 "the program says it is ${now:-nothing}, not cloudtoken $version" 'nothing was installed' ;;
    *:*-musl) hint='apk add libstdc++' ;;
  esac
  fail 1 "the new program does not run here (exit code $code); nothing was installed" "$hint"
}

# Shell and file, one a line, for the shells that are here.
completion_files() {
  data=${XDG_DATA_HOME:-${HOME-}/.local/share}
  case $data in
    /.local/share) return 0 ;;
  esac
  if has bash; then echo "bash $data/bash-completion/completions/cloudtoken"; fi
  if has zsh; then echo "zsh $data/zsh/site-functions/_cloudtoken"; fi
  if has fish; then echo "fish ${XDG_CONFIG_HOME:-$HOME/.config}/fish/completions/cloudtoken.fish"; fi
}

write_completions() {
  completion_files | while read -r shell file; do
    text=$("$target" completion "$shell" 2>/dev/null) || continue
    if mkdir -p "${file%/*}" 2>/dev/null && printf '%s\n' "$text" 2>/dev/null >"$file.new" && mv -f "$file.new" "$file"; then
      say "installed completions for $shell in $file"
    else
      rm -f "$file.new"
      say "no completions for $shell: cannot write $file"
    fi
  done
}

path_hint() {
  case :${PATH-}: in
    *":$dir:"*)
      first=$(command -v cloudtoken || true)
      [ -z "$first" ] || [ "$first" = "$target" ] || hint "another cloudtoken comes first on PATH: $first"
      return 0
      ;;
  esac
  if [ "${GITHUB_ACTIONS-}" = true ] && [ -n "${GITHUB_PATH-}" ]; then
    printf '%s\n' "$dir" >>"$GITHUB_PATH"
    say "put $dir on the PATH of the next steps"
    return 0
  fi
  say "$dir is not on PATH yet"
  case ${SHELL-} in
    */fish) hint "fish_add_path '$dir'" ;;
    */zsh) hint "echo 'export PATH=\"$dir:\$PATH\"' >>~/.zshrc" ;;
    */bash) hint "echo 'export PATH=\"$dir:\$PATH\"' >>~/.bashrc" ;;
    *) hint "export PATH=\"$dir:\$PATH\"" ;;
  esac
}

remove_all() {
  config=${XDG_CONFIG_HOME:-${HOME-}/.config}/cloudtoken
  state=${XDG_STATE_HOME:-${HOME-}/.local/state}/cloudtoken
  if [ -n "$dry" ]; then
    say "would remove $target and its completions"
    [ -z "$purge" ] || say "would sign out, and remove $config and $state"
    exit 0
  fi
  if [ -n "$purge" ]; then
    # Credentials, cookies and the stored password, wherever the configuration has put them.
    if [ -x "$target" ]; then "$target" logout --no-input >&2 || say 'could not sign out; see above'; fi
    rm -rf "$config" "$state"
    say "removed $config and $state"
    # An empty file is all that signing out leaves where there was none.
    [ -s "${HOME-}/.aws/credentials" ] || rm -f "${HOME-}/.aws/credentials"
    for left in "${config%/*}" "${state%/*}" "${HOME-}/.aws"; do remove_empty "$left"; done
  fi
  completion_files | while read -r shell file; do
    [ -e "$file" ] || continue
    rm -f "$file"
    say "removed completions for $shell"
    remove_empty "${file%/*}"
  done
  if [ ! -e "$target" ] && [ ! -L "$target" ]; then fail 1 "there is no $target" 'sh install.sh --uninstall --dir DIR'; fi
  rm -f "$target" || fail 1 "cannot remove $target"
  say "removed $target"
  remove_empty "$dir"
}

# Folders of the home directory that nothing else needs.
remove_empty() {
  folder=$1
  while :; do
    case $folder in
      "${HOME:-/}"/?*) rmdir "$folder" 2>/dev/null || return 0 ;;
      *) return 0 ;;
    esac
    folder=${folder%/*}
  done
}

clean() {
  [ -z "${staging-}" ] || rm -rf "$staging"
  [ -z "${lists-}" ] || rm -rf "$lists"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

say() {
  printf 'cloudtoken: %s\n' "$1" >&2
}

hint() {
  printf 'cloudtoken: hint: %s\n' "$1" >&2
}

# fail CODE MESSAGE [HINT]: the same codes as the program, 2 usage and 30 network.
fail() {
  printf 'cloudtoken: error: %s\n' "$2" >&2
  [ -z "${3-}" ] || hint "$3"
  exit "$1"
}

# The call stands last, so that a download cut short does nothing.
main "$@"
