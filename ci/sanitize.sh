#!/usr/bin/env bash
# The tests of the data plane under AddressSanitizer and ThreadSanitizer (a nightly compiler). The standard library is the prebuilt
# one, which is not compiled with them: native/tsan.supp says what that makes of it. usage: ci/sanitize.sh [address|thread…]
# shellcheck source=ci/common.sh
. "$(dirname "$0")/common.sh"
triple=x86_64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || fail 'only x86-64 is tried here'
cargo +nightly --version >/dev/null 2>&1 ||
    fail 'a nightly compiler is needed for the sanitizers' \
        'What to do: ci/install-tools.sh slow, or by hand: rustup toolchain install nightly --profile minimal'
sanitizers=("$@")
[ ${#sanitizers[@]} -gt 0 ] || sanitizers=(address thread)
top=$PWD
for sanitizer in "${sanitizers[@]}"; do
    # What is left out counts memory of the whole process, or kills processes that have no sanitizer to speak of. Tests that ask for
    # more memory than there is get none, as without a sanitizer.
    skip=(--skip closed_engines_keep_no_memory --skip rings::faults)
    seen='memory, core, transport and runtime'
    flags="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer"
    crates=(-p lodestone-memory)
    case "$sanitizer" in
    address) crates+=(-p lodestone-core -p lodestone-transport -p lodestone-runtime) ;;
    # The core has no threads; tokio and the channels of the others wait inside the standard library, which is not seen. Mappings go
    # through the C library, or memory that one thread gave back and another got would look shared.
    thread)
        flags="$flags --cfg rustix_use_libc"
        # The sanitizer has shadows of its own for every mapping, which that test counts.
        skip+=(--skip thousands_of_retired_mappings)
        seen='memory alone: the core has no threads, and transport and runtime wait inside of the standard library, which is not compiled with it'
        ;;
    *) fail "there is no sanitizer $sanitizer here" ;;
    esac
    echo "-- $sanitizer sanitizer over $seen" >&2
    ci/step.sh "sanitize-$sanitizer" "the tests under $sanitizer sanitizer (first time: minutes)" \
        env RUSTFLAGS="$flags" CARGO_TARGET_DIR="native/target/$sanitizer" \
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1" \
        TSAN_OPTIONS="allocator_may_return_null=1:suppressions=$top/native/tsan.supp:halt_on_error=1:exitcode=66" \
        cargo +nightly test --manifest-path native/Cargo.toml --locked --target "$triple" --lib --tests \
        "${crates[@]}" -- "${skip[@]}" ||
        fail "the $sanitizer sanitizer found something" 'What to do: see above, and target/logs.'
done
passed "${sanitizers[*]}"
