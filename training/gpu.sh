#!/usr/bin/env bash
# The generator trained within minutes on a card that is at hand for minutes only; each step is one short call.
#
#   gpu.sh shards FOLDER          move the shards (*.tar) in FOLDER to $DATA: as many calls as they need
#   gpu.sh train MINUTES [...]    one slice; again to go on from its last checkpoint
#   gpu.sh cooldown MINUTES STEPS the learning rate falls to nought over STEPS
#   gpu.sh pack FOLDER            the averaged weights into FOLDER, in parts of 15 MiB: cat them to join
#
# DEVICE=cpu LIMIT="--limit 300 --steps 10" tries the same commands without a card.
set -euo pipefail
cd "$(dirname "$0")/.."
DATA=${DATA:-$HOME/data} RUNS=${RUNS:-$HOME/runs} DEVICE=${DEVICE:-cuda} START=${START:-training/checkpoints/conditioned.safetensors}
export PYTHONUNBUFFERED=1

slice() { # PRESET FOLDER MINUTES INIT [options]
    python3 -m training train --preset "$1" --out "$RUNS/$2" --time-limit "$3" --init "$4" \
        --data "$DATA"/*.tar --set-aside ${ASIDE:-400} --device "$DEVICE" --keep device --save-every 60 ${LIMIT:-} "${@:5}"
}

case "$1" in
shards)
    mkdir -p "$DATA" && mv "$2"/*.tar "$DATA"/ && ls -l "$DATA"
    ;;
train)
    slice gpu gpu "$2" "$START" --anew "${@:3}"
    ;;
cooldown)
    slice cooldown cooldown "$2" "$RUNS/gpu/average.safetensors" --anew --steps "$3" "${@:4}"
    ;;
pack)
    mkdir -p "$2"
    for run in gpu cooldown; do
        if [ -f "$RUNS/$run/average.safetensors" ]; then
            split -b 15M -d "$RUNS/$run/average.safetensors" "$2/$run.safetensors."
            [ ! -f "$RUNS/$run/stats.jsonl" ] || cp "$RUNS/$run/stats.jsonl" "$2/$run-stats.jsonl"
        fi
    done
    ls -l "$2"
    ;;
*)
    sed -n '2,10p' "$0" >&2
    exit 2
    ;;
esac
