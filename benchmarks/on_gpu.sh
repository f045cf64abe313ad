#!/usr/bin/env bash
# Every figure of docs/performance.md that wants a GPU, by the command that prints it.
#
#   benchmarks/on_gpu.sh OUT            all, in the order of what matters most
#   benchmarks/on_gpu.sh OUT far mar    those whose names begin so
#   TINY=1 benchmarks/on_gpu.sh OUT     tiny models on whatever is there: that each command works
#
# LIMIT is the most seconds for one, 900 where it is not set.
# NWT is the command, `nwt` where it is not set: NWT="python -m nwt_tf.bin.nwt" from a checkout.
#
# OUT/NAME.json is a command's last line, OUT/NAME.log all of it. A measurement that is there is
# passed over, so that the same command goes on. Most of a measurement's time is compilation, whose
# results OUT/xla keeps, for what they are worth: `paper`'s could not be read again.
set -u
out=$1; shift
mkdir -p "$out"
[ -n "${TINY:-}" ] || export TF_XLA_FLAGS="--tf_xla_persistent_cache_directory=$out/xla"
failed=0

measure() { # NAME COMMAND...
  local name=$1; shift
  [ ${#chosen[@]} = 0 ] || [[ " ${chosen[*]} " =~ " ${name%%_*} " ]] || return 0
  [ -s "$out/$name.json" ] && return 0
  echo "$name: $*"
  if timeout "${LIMIT:-900}" "$@" > "$out/$name.log" 2>&1; then
    tail -n 1 "$out/$name.log" | tee "$out/$name.json"
  else
    failed=1; echo "failed: $(tail -n 1 "$out/$name.log")"
  fi
}

train() { # NAME STAGE:VARIANT [FLAG...]
  local name=$1 config=$2; shift 2
  local flags=("$@")
  if [ -n "${TINY:-}" ]; then
    config=${config/paper/tiny}
    flags=("${flags[@]/batch_size=*/batch_size=2}")
    flags=("${flags[@]/accumulated=*/accumulated=2}")
    flags+=(--height=64 --width=56 --grid=8,7 --steps=2 --warmup=1)
  fi
  measure "$name" ${NWT:-nwt} benchmark --what=train --config="$config" "${flags[@]}"
}

chosen=("$@")
bf16=--config.train.mixed_precision=true
gpus=$(nvidia-smi --list-gpus 2> /dev/null | wc -l)

# FAR and MAR at batch 64 x 32 frames, TF32 as the paper, then bfloat16; 300 steps show that
# the losses fall.
train far_tf32  prior:paper
train far_bf16  prior:paper $bf16 --steps=300
train mar_tf32  prior:paper_mar
train mar_bf16  prior:paper_mar $bf16 --steps=300
train har_bf16  prior:paper_har $bf16
# dVAE-Adv at 256 x 224, 30 frames, critics and penalty included: clip after clip.
both="$bf16 --config.train.mixed_critics=true"
parts=--config.train.num_accumulated
train dvae_bf16_16          dvae:paper $both $parts=16 --steps=100
train dvae_bf16_16_in_8     dvae:paper $both $parts=8
train dvae_bf16_16_grouped  dvae:paper $both $parts=16 --config.train.grouped_convolutions=grouped
train dvae_bf16_16_plain    dvae:paper $both $parts=16 --config.train.penalty_in_xla=false
train dvae_bf16_8           dvae:paper $both $parts=8 --config.train.batch_size=8
train dvae_bf16_32          dvae:paper $both $parts=32 --config.train.batch_size=32
train dvae_tf32_16          dvae:paper $parts=16
# Two GPUs beside one, the same batch a GPU.
if [ "$gpus" -ge 2 ]; then
  for n in 1 2; do
    train two_far_$n   prior:paper $bf16 --num_gpus=$n --config.train.batch_size=$((64 * n))
    train two_dvae_$n  dvae:paper $both $parts=16 --num_gpus=$n --config.train.batch_size=$((16 * n))
  done
fi
# Where the time goes.
train profile_far   prior:paper $bf16 --steps=5 --profile="$out/profile_far"
train profile_mar   prior:paper_mar $bf16 --steps=5 --profile="$out/profile_mar"
train profile_dvae  dvae:paper $both $parts=16 --steps=5 --profile="$out/profile_dvae"
exit $failed
