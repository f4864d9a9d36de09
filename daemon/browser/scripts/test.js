// Runs the unit tests, test/NAME.test.ts, with node's own test runner: esbuild takes their types away first.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = mkdtempSync(join(tmpdir(), "kahnd-browser-"));
try {
  const tests = readdirSync(join(HERE, "test")).filter((name) => name.endsWith(".test.ts")).sort();
  await build({
    absWorkingDir: HERE,
    entryPoints: tests.map((name) => join("test", name)),
    bundle: true,
    format: "esm",
    logLevel: "warning",
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    sourcemap: "inline",
    target: "node18",
  });
  const files = tests.map((name) => join(folder, name.replace(/\.ts$/, ".mjs")));
  const ran = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
  process.exitCode = ran.status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
