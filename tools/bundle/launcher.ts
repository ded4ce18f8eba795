/**
 * The program an operator starts: a shell script beside runtime and engine.
 *
 * `serve` may not write: it reads, derives the engine's permissions and starts it under them. The
 * runtime's own cache lies inside the program folder, so nothing else is touched where that is
 * read-only, which it should be; the runtime goes on without one then.
 */
export const LAUNCHER = `#!/bin/sh
# Starts the engine that lies beside this file, without a network and without an installation.
set -eu
self=$0
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
here=$(CDPATH= cd -- "$(dirname -- "$self")" && pwd -P)
export DENO_DIR="$here/cache" DENO_NO_UPDATE_CHECK=1
write=--allow-write
[ "\${1-}" != serve ] || write=--deny-write
exec "$here/runtime/deno" run --quiet --no-prompt --cached-only --frozen \\
  --v8-flags=--no-turboshaft-loop-unrolling \\
  --allow-read "$write" --allow-env="MEFOR_*,NO_COLOR" --ignore-env \\
  --allow-run="$here/runtime/deno" "$here/engine/main.js" "$@"
`;
