#!/usr/bin/env bash
# Builds llama-cpp-python for Vulkan into a folder outside the repository, and runs the tests of the
# graphics path with it. Without a graphics card they run on Mesa's software device (slow: 3 minutes).
#   bash packaging/bench/vulkan.sh FOLDER
# Needs cmake, a C++ compiler and (Debian) libvulkan-dev glslc spirv-headers mesa-vulkan-drivers; the
# headers of Vulkan 1.3.272 or newer, which VULKAN_HEADERS may name where the system's are older.
# The build takes about half an hour on two cores.
set -euo pipefail
folder=${1:?name a folder outside the repository}
python=${PYTHON:-.venv/bin/python}

if [ ! -d "$folder/llama_cpp" ]; then
    options=-DGGML_VULKAN=ON
    if [ -n "${VULKAN_HEADERS:-}" ]; then
        options="$options -DVulkan_INCLUDE_DIR=$VULKAN_HEADERS"
    fi
    CMAKE_ARGS=$options "$python" -m pip install --no-deps --no-cache-dir --target "$folder" \
        --no-binary llama-cpp-python llama-cpp-python==0.3.36
fi
VISCODEX_VULKAN_SITE=$folder "$python" -m pytest tests/engine/test_vulkan.py
