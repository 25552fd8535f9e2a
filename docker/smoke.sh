#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the image and runs one container of it without any container engine: buildah with chroot
# isolation, over debian:12 from its registry, or made by mmdebstrap where no registry is in reach.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

skip() { echo "docker/smoke.sh: skipped: $*"; exit 0; }
fail() { echo "docker/smoke.sh: $*" >&2; exit 1; }
command -v buildah >/dev/null || skip "buildah is not installed"

work=$(mktemp -d)
container=''
server=''
clean() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  if [ -n "$container" ]; then buildah rm "$container" >/dev/null 2>&1 || true; fi
  rm -rf "$work"
}
trap clean EXIT
export BUILDAH_ISOLATION=chroot
# Plain files instead of overlay mounts: works in containers and chroots too.
export STORAGE_DRIVER=vfs

arguments=()
if ! buildah pull -q docker.io/library/debian:12 >/dev/null 2>&1; then
  command -v mmdebstrap >/dev/null || skip "no registry in reach, no mmdebstrap to make a base with"
  echo "docker/smoke.sh: making a Debian 12 base"
  mmdebstrap --quiet --variant=minbase --components=main bookworm "$work/base.tar"
  base=$(buildah from scratch)
  buildah add -q "$base" "$work/base.tar" / >/dev/null
  buildah commit -q --rm "$base" localhost/kvorum-base >/dev/null
  rm "$work/base.tar"
  arguments=(--build-arg BUILD_BASE=localhost/kvorum-base
    --build-arg RUN_BASE=localhost/kvorum-base)
fi

buildah bud -q --network host -f docker/Dockerfile -t localhost/kvorum-smoke \
  ${arguments[@]+"${arguments[@]}"} . >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log" >&2
  fail "the image does not build"
}
container=$(buildah from localhost/kvorum-smoke)
in_container() { buildah run --network host "$container" -- "$@"; }

[ "$(in_container id -u)" != 0 ] || fail "the image runs as root"
[ "$(buildah inspect --format '{{.Docker.Config.User}}' localhost/kvorum-smoke)" = kvorum ] ||
  fail "the image does not name its user"

# The container shares our network here: ports of its own, so that nothing is in the way.
first=$((20000 + RANDOM % 20000))
in_container kvorum serve --name a --data /var/lib/kvorum --redis "127.0.0.1:$first" \
  --memcached "127.0.0.1:$((first + 1))" --peer "127.0.0.1:$((first + 2))" \
  --admin "127.0.0.1:$((first + 3))" >"$work/server.log" 2>&1 &
server=$!
healthy=no
for _ in $(seq 100); do
  if in_container kvorum health --admin "127.0.0.1:$((first + 3))" >"$work/status" 2>&1; then
    healthy=yes
    break
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.2
done
[ "$healthy" = yes ] || {
  cat "$work/server.log" "$work/status" >&2
  fail "the health check never passed"
}
exec 3<>"/dev/tcp/127.0.0.1/$first"
printf 'SET smoke yes\r\nGET smoke\r\n' >&3
answer=$(timeout 10 head -c 14 <&3 | tr -d '\r\n')
[ "$answer" = "+OK\$3yes" ] || fail "SET and GET answered: $answer"
echo "docker/smoke.sh: built, healthy, answering"
