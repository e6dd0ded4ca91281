#!/bin/sh
# Builds clock.wasm, a policy in C, from clock.c.
#
# It is checked in, so that the tests need no C compiler. clock.sha256 says what it was built from, and a test says when that has
# changed since. Needed are clang, wasm-ld and a C library for WebAssembly (on Debian: apt install clang lld wasi-libc), Rust's
# wasm32-wasip2 target for the linker that makes components, and wit-bindgen (cargo install wit-bindgen-cli).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# What the world is in C, and a description of the world for the linker.
wit-bindgen c ../../../wit --world eviction-policy --out-dir "$work"
for source in clock.c "$work/eviction_policy.c"; do
    clang --target=wasm32-wasi -O2 -Wall -Wextra -Werror -Wno-unused-parameter -I "$work" -c "$source" -o "$work/$(basename "$source" .c).o"
done
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/wasm-component-ld
"$linker" --wasm-ld-path "$(command -v wasm-ld)" --no-entry --gc-sections --strip-debug -o clock.wasm \
    "$work/clock.o" "$work/eviction_policy.o" "$work/eviction_policy_component_type.o" \
    -L "${WASI_LIB:-/usr/lib/wasm32-wasi}" -lc

sha256sum build.sh clock.c clock.wasm > clock.sha256
