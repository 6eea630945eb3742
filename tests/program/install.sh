#!/bin/sh
# install.sh: the installed compiler, wherever its folder is moved, under
# DESTDIR and as a Debian package; projects in C99 (pkg-config) and C++ (CMake)
# that use it; and the way back.
. "$(dirname "$0")/../program_lib.sh"

unset SNUG_RUNTIME SNUG_MILP
model=$digits/mlp.legacy.onnx

# complete FOLDER: is all there that must be?
complete() {
    for file in bin/snug libexec/snug/snug-milp lib/snug/libsnug_rt.a \
        lib/snug/libsnug_rt_main.a lib/snug/rt.h include/snug/rt.h \
        include/snug/plugin.h share/snug/runtime/abi.h share/snug/include/xxhash.h \
        lib/pkgconfig/snug-runtime.pc lib/cmake/Snug/SnugConfig.cmake \
        lib/python3/dist-packages/snug.py share/doc/snug/LICENSE \
        share/doc/snug/copyright share/doc/snug/docs/compile.md; do
        [ -f "$1/$file" ] || { echo "no $file"; return 1; }
    done
}

# trains FOLDER: does what is there make a program that trains?
trains() {
    (cd "$work" && "$1/bin/snug" compile "$model" -o train --quiet &&
        ./train --data "$digits/digits-train.npz" --steps 2 --quiet)
}

# ---- a prefix, and its files elsewhere
check "installed" cmake --install "$plain" --prefix "$work/first"
check "complete" complete "$work/first"
mv "$work/first" "$work/an other"
check "moved, it trains" trains "$work/an other"
check "nothing knows where it was built or put" sh -c \
    "! grep -rlaF -e '$plain' -e '$root/' -e '$work/first' '$work/an other'"

if [ -d "$plain/share/man" ]; then
    check "pages and completions" ls "$work/an other/share/man/man1/snug.1" \
        "$work/an other/share/bash-completion/completions/snug" \
        "$work/an other/share/zsh/site-functions/_snug" \
        "$work/an other/share/fish/vendor_completions.d/snug.fish"
fi

# ---- projects
mv "$work/an other" "$work/elsewhere"
prefix=$work/elsewhere
cp -r "$root/examples/projects" "$work"
check "C99 by pkg-config" env PATH="$prefix/bin:$PATH" \
    PKG_CONFIG_PATH="$prefix/lib/pkgconfig" make -C "$work/projects/c" \
    MODEL="$model"
check "the C99 project trains" sh -c "cd '$work/projects/c' &&
    ./blobs libnet.a.safetensors saved.safetensors"
if command -v c++ >/dev/null; then
    for header in rt plugin; do
        check "$header.h is C++" sh -c "echo '#include <snug/$header.h>' |
            c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
                -x c++ -I '$prefix/include' -"
    done
    cd "$work/projects/cmake" || exit 1
    check "C++ by find_package" sh -c "cmake -S . -B build -DMODEL='$model' \
        -DCMAKE_PREFIX_PATH='$prefix' && cmake --build build"
    check "the C++ project trains" ./build/blobs
    cd "$root" || exit 1
else
    echo "not run: C++ by find_package: no C++ compiler"
fi

# ---- DESTDIR, and the way back
DESTDIR=$work/stage cmake --install "$plain" --prefix /opt/snug >/dev/null ||
    bad "installed under DESTDIR"
check "DESTDIR: complete" complete "$work/stage/opt/snug"
check "DESTDIR: it trains" trains "$work/stage/opt/snug"
echo mine >"$work/stage/opt/snug/share/snug/mine"
DESTDIR=$work/stage cmake --build "$plain" --target uninstall \
    >"$work/out" 2>&1 || bad "uninstall"
left=$(cd "$work/stage" && find . ! -type d)
[ "$left" = ./opt/snug/share/snug/mine ] &&
    ok "uninstalled: only the files of others stay" ||
    bad "uninstalled: left are $left"
[ ! -d "$work/stage/opt/snug/lib" ] && ok "no empty folders are left" ||
    bad "empty folders are left"
refuse "uninstalled twice" 1 "nothing was installed" \
    cmake --build "$plain" --target uninstall

# ---- the package
if command -v dpkg-deb >/dev/null && command -v cpack >/dev/null; then
    check "packed" cpack --config "$plain/CPackConfig.cmake" -B "$work/package"
    deb=$(ls "$work"/package/*.deb)
    check "it says what it needs" sh -c "dpkg-deb -f '$deb' Depends |
        grep -q 'gcc.*libglpk40\|libglpk40.*gcc'"
    check "all of it lies below /usr" sh -c "! dpkg-deb -c '$deb' |
        awk '{ print \$6 }' | grep -v '^\./\$\|^\./usr/'"
    check "all of it is root's" sh -c "! dpkg-deb -c '$deb' |
        awk '\$2 != \"root/root\"' | grep ."
    check "unpacked" dpkg -x "$deb" "$work/root"
    check "package: complete" complete "$work/root/usr"
    check "package: it trains" trains "$work/root/usr"
else
    echo "not run: the package: no dpkg-deb or no cpack"
fi
