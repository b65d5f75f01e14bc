#!/usr/bin/env bash
# Installs the Debian packages that a purpose needs and that are missing, saying what each is for.
# usage: infra/packages.sh run|test|clients|bench ...
set -euo pipefail

# package                       | purpose | why
packages() {
  cat <<'LIST'
build-essential               run  C compiler and linker for the libraries below
pkg-config                    run  finds the FFmpeg libraries at build time
clang                         run  reads the FFmpeg headers at build time
libclang-dev                  run  reads the FFmpeg headers at build time
cmake                         run  builds the TLS library
protobuf-compiler             run  compiles the messages between processes
libprotobuf-dev               run  standard messages for the compiler above
libavcodec-dev                run  video and audio codecs (x264, AAC)
libavformat-dev               run  FFmpeg, wanted by the bindings
libavfilter-dev               run  FFmpeg, wanted by the bindings
libavdevice-dev               run  FFmpeg, wanted by the bindings
libavutil-dev                 run  FFmpeg, shared by the codecs
libswscale-dev                run  picture scaling
libswresample-dev             run  sound resampling
ffmpeg                        run  pushes the demo broadcast
fonts-dejavu-core             run  the clock in the demo picture
postgresql                    run  private database in the data folder
redis-server                  run  private hints in the data folder
chromium                      test a real browser for the players
python3-boto3                 test an independent client of the S3 store
curl                          test the examples for bash
openssl                       test the examples sign tokens with it
gstreamer1.0-tools            test a second kind of encoder
gstreamer1.0-plugins-base     test a second kind of encoder
gstreamer1.0-plugins-good     test a second kind of encoder
gstreamer1.0-plugins-bad      test a second kind of encoder
gstreamer1.0-plugins-ugly     test a second kind of encoder
gstreamer1.0-libav            test a second kind of encoder
obs-studio                    clients the encoder that most streamers use
xvfb                          clients a screen for it
libgl1-mesa-dri               clients drawing without a graphics card
nginx                         bench the peer for file delivery
libnginx-mod-rtmp             bench the peer for ingest and packaging
wrk                           bench load generator
python3                       bench compares the transcoder with the FFmpeg CLI
LIST
  # Node.js may come from elsewhere than Debian.
  command -v npm >/dev/null || echo "npm run builds the player page and the dashboard"
}

missing=()
for purpose in "$@"; do
  while read -r name for_what why; do
    [ "$for_what" = "$purpose" ] || continue
    if ! dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q '^install ok installed'; then
      [ ${#missing[@]} -gt 0 ] || echo "Installing missing Debian packages:"
      printf '  %-28s %s\n' "$name" "$why"
      missing+=("$name")
    fi
  done < <(packages)
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "These packages must be installed by root: apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi

# The data folder gets servers of its own: packages must not start system-wide ones, nor make a system-wide cluster.
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
made_policy=no
cleanup() { [ "$made_policy" = no ] || "${as_root[@]}" rm -f "$policy"; }
trap cleanup EXIT
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
if [ ! -e "$clusters" ]; then
  "${as_root[@]}" mkdir -p "$(dirname "$clusters")"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$clusters" >/dev/null
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
echo "(their installation is logged in $log)"
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get -o Dpkg::Options::=--force-confold install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "Installing packages failed; the whole log is $log" >&2
  exit 1
fi
