#!/bin/sh
# manual.sh SNUG FOLDER: FOLDER/man/man1/*.1 and FOLDER/completions/SHELL/*.
set -eu
snug=$1
share=$2
mkdir -p "$share/man/man1" "$share/completions/bash" "$share/completions/zsh" \
    "$share/completions/fish"
"$snug" completion bash >"$share/completions/bash/snug"
"$snug" completion zsh >"$share/completions/zsh/_snug"
"$snug" completion fish >"$share/completions/fish/snug.fish"
"$snug" help --man snug >"$share/man/man1/snug.1"
for verb in $(sed -n 's/^_snug_verbs="\(.*\)"$/\1/p' \
    "$share/completions/bash/snug"); do
    "$snug" help --man "$verb" >"$share/man/man1/snug-$verb.1"
done
