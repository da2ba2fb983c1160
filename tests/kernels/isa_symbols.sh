#!/bin/sh
# isa_symbols.sh NM OBJECT...: each object compiled for an instruction set (kernels_<isa>, not the
# scalar one) defines exactly one external symbol, its table, and no weak ones. A weak function could
# be the copy that the linker keeps for the whole program, which would then need that instruction set.
set -eu
nm=$1
shift
checked=0
failed=0
for object in "$@"; do
  case "$object" in
    *kernels_scalar*) continue ;;
    */kernels_*) ;;
    *) continue ;;
  esac
  checked=$((checked + 1))
  external=$("$nm" --extern-only --defined-only "$object" | grep -c . || true)
  table=$("$nm" --extern-only --defined-only "$object" | grep -c '[0-9a-f] [BDRV] .*Kernels' || true)
  weak=$("$nm" "$object" | grep -c ' [VvWwu] ' || true)
  if [ "$external" -ne 1 ] || [ "$table" -ne 1 ] || [ "$weak" -ne 0 ]; then
    echo "$object: $external external symbols, $weak weak ones; expected its table alone:"
    "$nm" --demangle --defined-only "$object" | grep -v ' [a-z] ' || true
    failed=1
  fi
done
[ "$checked" -gt 0 ] || { echo "no instruction-set objects in this build"; exit 77; }
exit "$failed"
