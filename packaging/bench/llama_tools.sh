#!/usr/bin/env bash
# Builds llama.cpp's own multimodal command and its server from the very sources the bindings were
# built from (they lie in the source distribution of llama-cpp-python), outside the repository.
#   bash packaging/bench/llama_tools.sh FOLDER      afterwards: FOLDER/build/bin/llama-server, ...
# Needs cmake and a C++ compiler; takes about 7 minutes on two cores.
set -euo pipefail
folder=${1:?name a folder outside the repository}
version=0.3.36
python=${PYTHON:-python3}
sources=$folder/llama_cpp_python-$version

if [ -x "$folder/build/bin/llama-server" ] && [ -x "$folder/build/bin/llama-mtmd-cli" ]; then
    exit 0
fi
mkdir -p "$folder"
if [ ! -d "$sources" ]; then
    "$python" -m pip download --quiet --no-deps --no-binary :all: --dest "$folder" \
        "llama-cpp-python==$version"
    tar -xzf "$sources.tar.gz" -C "$folder"
fi
# The same switches as the bindings' own build: tuned to this processor, no libraries beyond it.
cmake -S "$sources/vendor/llama.cpp" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release \
    -DGGML_NATIVE=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF \
    -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF
cmake --build "$folder/build" --target llama-server llama-mtmd-cli --parallel "$(nproc)"
