#!/usr/bin/env bash
# The rules of the tree that grep can hold: one door a folder, includes only
# downwards, lua.h in bindings/ only, sizes, banned calls.
set -u
cd "$(dirname "$0")/../.."
order="base io audio rtc livekit provider store schedule call job"
bad=0
complain() { echo "$*"; bad=1; }

rank() { local i=0 l; for l in $order; do i=$((i + 1)); [ "$l" = "$1" ] && { echo $i; return; }; done; echo 0; }

while IFS=: read -r file line text; do
  folder=${file#host/} && folder=${folder%%/*}
  case $file in host/main.c|host/cli/*|bindings/*) folder=top ;; esac
  inc=$(sed -E 's/.*"([^"]+)".*/\1/' <<<"$text")
  other=${inc%%/*}
  door=${inc#*/} && door=${door%.h}
  [ "$folder" = "$other" ] && continue
  [ "$(rank "$other")" = 0 ] && continue
  if [ "$folder" != top ] && [ "$(rank "$other")" -gt "$(rank "$folder")" ]; then
    complain "$file:$line: $folder may not use $other (it stands above)"
  fi
  if [ "$other" != base ] && [ "$door" != "$other" ]; then
    complain "$file:$line: past the door of $other: $inc"
  fi
done < <(grep -nHE '^#include "[a-z]+/' host/*.c host/*/*.[ch] bindings/*.[ch])

grep -nHE '#include <(lua|lauxlib|lualib|luajit)' host/*.c host/*/*.[ch] &&
  complain "lua.h belongs to bindings/ alone"
grep -nHE '[^a-z_](strcpy|strcat|sprintf|gets|strtok|rand|alloca)\(' host/*/*.c bindings/*.c &&
  complain "a banned call"
resumes=$(cat bindings/*.c | grep -cE 'lua_resume *\(')
[ "$resumes" -le 1 ] || complain "lua_resume has $resumes callers, one is allowed"
for f in host/*/*.[ch] bindings/*.[ch]; do
  head -n 5 "$f" | grep -qi generated && continue
  n=$(wc -l <"$f")
  [ "$n" -le 800 ] || complain "$f has $n lines, 800 is the most"
  wide=$(expand -t8 "$f" | LC_ALL=C.UTF-8 awk 'length > 100 { print NR; exit }')
  [ -z "$wide" ] || complain "$f:$wide is wider than 100"
done
[ "$bad" = 0 ] && echo "layers in order"
exit $bad
