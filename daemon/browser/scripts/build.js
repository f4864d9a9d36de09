// Bundles each src/NAME.ts into daemon/kahnd/web/assets/NAME.js, and writes the licences of what was bundled.
//
//   node scripts/build.js           writes the assets
//   node scripts/build.js --check   fails unless the assets are, byte for byte, what the sources give

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const ASSETS = resolve(HERE, "../kahnd/web/assets");
const LICENSE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** The assets by name: bundles, and the licences of all that is in them. */
async function assets() {
  const entries = readdirSync(join(HERE, "src")).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  const result = await build({
    absWorkingDir: HERE,
    entryPoints: entries.sort().map((name) => join("src", name)),
    bundle: true,
    charset: "utf8",
    loader: { ".text.css": "text" }, // what goes into a shadow tree
    format: "iife",
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    minify: true,
    outdir: ASSETS,
    target: "es2022",
    write: false,
  });
  const made = new Map(result.outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]));
  made.set("LICENSES.txt", Buffer.from(licenses(Object.keys(result.metafile.inputs))));
  return made;
}

/** The licence texts of the packages that the inputs belong to; a package without one fails the build. */
function licenses(inputs) {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(HERE, folder, "package.json"), "utf8"));
    const files = readdirSync(join(HERE, folder)).filter((file) => LICENSE_FILE.test(file));
    if (!files.length) throw new Error(`${name} has no licence file`);
    const text = files.sort().map((file) => readFileSync(join(HERE, folder, file), "utf8").trim());
    return `${name} ${version} (${license})\n\n${text.join("\n\n")}\n`;
  });
  const head = "The scripts and styles in this folder are part of kahnd, under its licence";
  if (!texts.length) return `${head}; they hold no other package.\n`;
  return [`${head}. They hold the packages below.\n`, ...texts].join(`\n${"-".repeat(80)}\n\n`);
}

/** `node_modules/NAME` of an input, or `undefined` for one of our own. */
function packageFolder(input) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

/** What differs between the assets that are there and those that the sources give. */
function differences(made) {
  const there = existsSync(ASSETS) ? readdirSync(ASSETS) : [];
  const names = [...new Set([...there, ...made.keys()])].sort();
  return names.filter((name) => !there.includes(name) || !made.get(name)?.equals(readFileSync(join(ASSETS, name))));
}

const made = await assets();
const different = differences(made);
if (process.argv.includes("--check")) {
  if (different.length) {
    console.error(`not what the sources give (run \`make browser\`): ${different.join(", ")}`);
    process.exit(1);
  }
} else {
  mkdirSync(ASSETS, { recursive: true });
  for (const name of different) {
    const path = join(ASSETS, name);
    const content = made.get(name);
    if (content) writeFileSync(path, content);
    else rmSync(path);
    console.log(`${content ? "wrote" : "removed"} ${relative(process.cwd(), path)}`);
  }
}
