'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync, readdirSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');

const ROOT = join(__dirname, '..');

test('the documentation is written from README and JSDoc, and loads nothing from elsewhere', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dworker-doc-'));
  try {
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'doc.js'), folder], { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] });
    const pages = readdirSync(folder).filter((name) => name.endsWith('.html'));
    for (const page of ['index.html', 'Broker.html', 'Worker.html', 'Agent.html', 'Router.html']) assert.ok(pages.includes(page), `${page} is not among ${pages}`);
    assert.match(readFileSync(join(folder, 'index.html'), 'utf8'), /dworker/);
    const foreign = pages.filter((page) => {
      const loaded = readFileSync(join(folder, page), 'utf8').replace(/<!--.*?-->/gs, '');
      return /(\ssrc|<link[^>]*\shref)="(https?:)?\/\//.test(loaded);
    });
    assert.deepStrictEqual(foreign, []);
    const made = readdirSync(folder);
    const described = pages.filter((page) => !/^(index|tutorial-.*|.*\.js)\.html$/.test(page)).sort();
    assert.deepStrictEqual(described, ['Agent.html', 'Broker.html', 'Router.html', 'Worker.html'], 'the public classes alone');
    const broken = pages.flatMap((page) => {
      const links = [...readFileSync(join(folder, page), 'utf8').matchAll(/\shref="([^"#]+)(?:#[^"]*)?"/g)].map(([, link]) => link);
      return links.filter((link) => !/^https?:/.test(link) && !link.includes('/') && !made.includes(link)).map((link) => `${link} in ${page}`);
    });
    assert.deepStrictEqual(broken, []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
