'use strict';

/** `npm run doc [-- FOLDER]`: writes the documentation as pages for a browser, which work offline. */

const { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { basename, join, resolve } = require('node:path');
const { ROOT } = require('./support/prepare');
const { run } = require('./support/run');
const { Unmet, main, say } = require('./support/terminal');

/** The page that JSDoc made of a Markdown file of docs/. It adds "_" where a name differs from another page's only by its case. */
function pageOf(folder, markdown) {
  const name = `tutorial-${basename(markdown, '.md')}`;
  return [`${name}.html`, `${name}_.html`].find((page) => existsSync(join(folder, page)));
}

/** Lets a link to a Markdown file lead to its page; a file without a page is copied. */
function relink(folder, html) {
  return html.replace(/href="(?!https?:)([^"#]+\.md|LICENSE)(#[^"]*)?"/g, (link, path, anchor = '') => {
    const page = pageOf(folder, path);
    if (page !== undefined) return `href="${page}${anchor}"`;
    const name = basename(path);
    if (!existsSync(join(ROOT, name))) return link;
    cpSync(join(ROOT, name), join(folder, name));
    return `href="${name === 'README.md' ? 'index.html' : name}${anchor}"`;
  });
}

main(async () => {
  const folder = resolve(process.argv[2] || join(ROOT, 'doc'));
  rmSync(folder, { recursive: true, force: true });
  const jsdoc = join(ROOT, 'node_modules', 'jsdoc', 'jsdoc.js');
  const { code } = await run(process.execPath, [jsdoc, '--configure', 'jsdoc.json', '--destination', folder], { cwd: ROOT });
  if (code !== 0) throw new Unmet('JSDoc failed: see above.');
  for (const page of readdirSync(folder).filter((name) => name.endsWith('.html'))) {
    const file = join(folder, page);
    writeFileSync(file, relink(folder, readFileSync(file, 'utf8')));
  }
  say(`written to ${join(folder, 'index.html')}`);
});
