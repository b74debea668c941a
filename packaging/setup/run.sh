#!/usr/bin/env bash
# Opens the application on a sample. Where there is no display, does the same job in the terminal.
set -euo pipefail
sample=${SAMPLE:?name a picture}
viscodex=${VISCODEX:?name the command}

if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname -s)" = Darwin ]; then
    exec "$viscodex" "$sample"
fi

out=build/run
name=$(basename "${sample%.*}")
mkdir -p "$out"
echo "No display here: converting $sample in the terminal instead of opening the window."
"$viscodex" convert "$sample" --out "$out/$name.html" --preview "$out/$name.png"
echo "code:    $PWD/$out/$name.html"
echo "preview: $PWD/$out/$name.png"
