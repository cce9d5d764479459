// Bundles src/ into www/.
import { build } from 'esbuild';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';

rmSync('www', { recursive: true, force: true });
mkdirSync('www');
await build({
  entryPoints: { page: 'src/page.jsx' },
  outdir: 'www', // page.css too: without uPlot's rules every graph is blank
  bundle: true,
  format: 'esm',
  minify: true,
  jsx: 'automatic',
  legalComments: 'none',
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.npm_package_version': '"0"', global: 'window' },
  alias: { 'react-router-dom-v5-compat': 'react-router-dom' },
  loader: { '.svg': 'text', '.woff': 'empty', '.woff2': 'empty', '.ttf': 'empty' },
});
writeFileSync('www/index.html', `<!doctype html><meta charset="utf-8"><title>board</title>
<link rel="stylesheet" href="page.css"><script>window.grafanaBootData = { settings: {}, user: {} };</script>
<style>body { margin: 0; font: 14px/1.5 "DejaVu Sans", sans-serif } #root { padding: 8px }</style>
<div id="root"></div><script type="module" src="page.js"></script>`);
