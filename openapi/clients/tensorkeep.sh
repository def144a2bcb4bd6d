#!/usr/bin/env bash
# Tensorkeep from the shell: curl, and what every system has.
#
#     bash tensorkeep.sh http://127.0.0.1:7840 example
#
# A token is taken from TENSORKEEP_TOKEN.
set -euo pipefail
H=$1/v1 model=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# keep METHOD PATH [more of curl's arguments]: the reply on standard output; a refusal is a failure, its problem document the output.
keep() {
    curl -sS --fail-with-body -X "$1" "$H$2" ${TENSORKEEP_TOKEN:+-H "Authorization: Bearer $TENSORKEEP_TOKEN"} "${@:3}"
}

# field NAME: of a JSON object on standard input, a number or a text without escapes.
field() { sed -En "s/.*\"$1\": ?\"?([^\",}]*).*/\1/p" | head -n 1; }

keep PUT "/models/$model" -d '{"seed": 7}' >/dev/null
keep POST "/models/$model/variables" -d '[
    {"name": "layer/weights", "initial_value": {"op": "ones", "shape": [2, 3]}},
    {"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": false}]' >/dev/null
ready=$(keep POST "/models/$model:initialize")
echo "initialized:" $(sed -E 's/.*"initialized": ?\[([^]]*)\].*/\1/; s/[",]+/\n/g' <<<"$ready" | sort)

# With an Idempotency-Key curl may try again: the step is taken once.
keep PUT "/models/$model/optimizers/sgd" -d '{"type": "gradient_descent", "learning_rate": 0.5}' >/dev/null
step=$(keep POST "/models/$model/optimizers/sgd:apply_gradients" --retry 3 --retry-connrefused \
    -H "Idempotency-Key: $(od -An -N16 -tx8 /dev/urandom | tr -d ' ')" -d '{"global_step": "global_step",
    "gradients": {"layer/weights": [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]}}')
keep GET "/models/$model/variables/layer/weights:value" -H 'Accept: application/octet-stream' -o "$work/weights"
echo "step $(field global_step <<<"$step"):" $(od -An -v -tf4 "$work/weights")

saved=$(keep POST "/models/$model/checkpoints" -d '{"name": "model.ckpt", "global_step": {"variable": "global_step"}}' | field name)
keep GET "/models/$model/checkpoints/$saved:export?format=safetensors" -o "$work/model.safetensors"
length=$(od -An -N8 -tu8 "$work/model.safetensors")
tail -c +9 "$work/model.safetensors" | head -c $length >"$work/header"
echo "saved $saved:" $(grep -oE '"[^"]*": ?\{ ?"dtype"' "$work/header" | cut -d'"' -f2 | sort)

# Asks, and is answered when something has happened: one event a line, from the revision on that was seen last.
revision=$(field revision <<<"$ready")
until grep -q '^checkpoint.saved' "$work/seen" 2>/dev/null; do
    changes=$(keep GET "/models/$model/changes?feed=longpoll&since=$revision")
    grep -oE '\{"event"[^{}]*\}' <<<"$changes" | grep -E '"(variable|checkpoint)\.' | while read -r change; do
        echo "$(field event <<<"$change") $(field name <<<"$change")"
    done >>"$work/seen"
    revision=$(field revision <<<"$changes")
done
echo "changes: $(sort "$work/seen" | paste -sd, | sed 's/,/, /g')"

if ! no=$(keep POST "/models/$model/variables/layer/weights:assign_add" -d '{"value": [1.0, 2.0]}' 2>/dev/null); then
    echo "refused: $(field code <<<"$no")"
fi
keep DELETE "/models/$model" >/dev/null
