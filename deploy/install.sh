#!/bin/sh
# Installs a released Eddy as a service of systemd: downloads the executable for this machine, verifies
# it, and runs its "install".
#
# usage: install.sh [VERSION]        such as 1.2.3; default: the latest release
#
# EDDY_INSTALL_TO=DIR puts the verified executable there, as "eddy", and runs nothing.
# EDDY_REPOSITORY=URL is the repository whose releases are taken.
# EDDY_REQUIRE_SIGNATURE=1 refuses what cosign has not verified; without it the signature is verified
# where cosign is installed, and the checksum always.
set -eu

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

# The release puts its own repository here.
repository="${EDDY_REPOSITORY:-@REPOSITORY@}"
work=""

download() {
  case "$repository" in
    # A machine's own loopback is for tests.
    https://* | http://127.0.0.1:*) ;;
    *) fail "EDDY_REPOSITORY: got \"$repository\", want a URL that begins with https://" ;;
  esac
  if command -v curl >/dev/null 2>&1; then
    curl --fail --silent --show-error --location --max-time 600 --output "$work/$1" "$from/$1"
  elif command -v wget >/dev/null 2>&1; then
    wget --quiet --timeout 60 --output-document "$work/$1" "$from/$1"
  else
    fail "neither curl nor wget is installed"
  fi || fail "cannot download $from/$1"
}

verify_signature() {
  if ! command -v cosign >/dev/null 2>&1; then
    [ "${EDDY_REQUIRE_SIGNATURE:-}" != 1 ] || fail "cosign is not installed"
    echo "install.sh: cosign is not installed: the checksum is verified, the signature is not" >&2
    return
  fi
  download SHA256SUMS.sigstore.json
  cosign verify-blob --bundle "$work/SHA256SUMS.sigstore.json" \
    --certificate-identity-regexp "^$repository/\.github/workflows/release\.yaml@refs/tags/v" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    "$work/SHA256SUMS" || fail "SHA256SUMS is not signed by the release workflow of $repository"
}

# Everything is in a function: a script that is cut off on its way does nothing.
main() {
  version="${1:-}"
  case "$version" in
    "") from="$repository/releases/latest/download" ;;
    [0-9]*) from="$repository/releases/download/v$version" ;;
    *) fail "VERSION: got \"$version\", want one such as 1.2.3" ;;
  esac
  [ "$(uname -s)" = Linux ] || fail "this is $(uname -s), Eddy runs on Linux"
  case "$(uname -m)" in
    x86_64 | amd64) name=eddy-linux-amd64 ;;
    aarch64 | arm64) name=eddy-linux-arm64 ;;
    *) fail "there is no executable for $(uname -m)" ;;
  esac
  if [ -z "${EDDY_INSTALL_TO:-}" ] && [ "$(id -u)" != 0 ]; then
    fail "run it as root, or set EDDY_INSTALL_TO"
  fi

  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  download SHA256SUMS
  verify_signature
  download "$name"
  grep "^[0-9a-f]\{64\}  $name\$" "$work/SHA256SUMS" >"$work/sum" ||
    fail "SHA256SUMS does not name $name"
  (cd "$work" && sha256sum --check --strict --quiet sum) ||
    fail "$name is not what SHA256SUMS says"
  chmod 755 "$work/$name"

  if [ -n "${EDDY_INSTALL_TO:-}" ]; then
    mkdir -p "$EDDY_INSTALL_TO"
    mv "$work/$name" "$EDDY_INSTALL_TO/eddy"
    echo "$EDDY_INSTALL_TO/eddy"
  else
    "$work/$name" install
  fi
}

main "$@"
