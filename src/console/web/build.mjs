// Bundles the page into dist/: index.html, app.js, app.css and logo.svg, with nothing from elsewhere.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "dist");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  entryPoints: { app: join(here, "src/main.tsx") },
  bundle: true,
  outdir: out,
  format: "esm",
  target: ["es2022", "chrome105", "firefox110", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".md": "text" },
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
for (const name of ["index.html", "logo.svg"]) {
  await copyFile(join(here, "static", name), join(out, name));
}
