#!/usr/bin/env bash
# Opens the application on a sample. Where there is no display, does the same job in the terminal.
set -euo pipefail
sample=${SAMPLE:?name a picture}
viscodex=${VISCODEX:?name the command}

if [ "$(id -u)" = 0 ] && [ -z "${VISCODEX_RENDER_NO_SANDBOX:-}" ]; then
    echo "Running as root: Chromium's sandbox does not work for root, the preview goes without it." >&2
    export VISCODEX_RENDER_NO_SANDBOX=1 QTWEBENGINE_DISABLE_SANDBOX=1
fi

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname -s)" = Darwin ]; then
    exec "$viscodex" "$sample"
fi

out=$PWD/build/run
name=$(basename "${sample%.*}")
mkdir -p "$out"
echo "No display here: converting $sample in the terminal instead of opening the window."
"$viscodex" convert "$sample" --out "$out" --preview "$out/$name-preview.png"
