'use strict';

/** README.md and docs/: their size, and that every link between them leads to a heading that exists. */

const assert = require('node:assert/strict');
const { existsSync, readFileSync, readdirSync, statSync } = require('node:fs');
const { dirname, join, normalize } = require('node:path');
const { describe, test } = require('node:test');

const ROOT = join(__dirname, '..');
const DOCS = readdirSync(join(ROOT, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
const PAGES = ['README.md', 'CONTRIBUTING.md', ...DOCS];
const LARGEST_README = 8 * 1024;

const textOf = (page) => readFileSync(join(ROOT, page), 'utf8');
const withoutCode = (text) => text.replace(/^```[\s\S]*?^```$/gm, '');

/** The anchors that GitHub gives to headings: lower case, spaces as hyphens, other punctuation dropped. */
function anchorsOf(page) {
  const headings = [...withoutCode(textOf(page)).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-'));
}

test('README is at most 8 KiB', () => {
  assert.ok(statSync(join(ROOT, 'README.md')).size <= LARGEST_README);
});

for (const page of PAGES) {
  test(`every link of ${page} leads to a file and to a heading that exist`, () => {
    const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
    const broken = links.filter((target) => !/^[a-z]+:/.test(target)).filter((target) => {
      const [path, anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !anchorsOf(file).includes(anchor);
    });
    assert.deepEqual(broken, []);
  });
}

test('every source file that docs/architecture.md names exists', () => {
  const named = [...textOf('docs/architecture.md').matchAll(/`((?:lib|src|tests)\/[\w/.-]*|index[\w.]+)`/g)].map(([, path]) => path);
  assert.ok(named.length > 40);
  assert.deepEqual(named.filter((path) => !existsSync(join(ROOT, path))), []);
});

test('the reference of events lists every warning of the package and no other', () => {
  const sources = readdirSync(join(ROOT, 'lib'), { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => textOf(join('lib', name)));
  const used = new Set(sources.flatMap((source) => source.match(/\bDW_WARN_\w+/g) ?? []));
  const listed = [...textOf('docs/reference/events.md').matchAll(/^\| `(DW_WARN_\w+)`/gm)].map(([, code]) => code);
  assert.deepEqual(listed.sort(), [...used].sort());
});

test('README leads to every page of docs/ and docs/reference/', () => {
  const linked = new Set([...textOf('README.md').matchAll(/\]\((docs\/[\w/.-]+\.md)/g)].map(([, path]) => path));
  assert.deepEqual(DOCS.filter((page) => !linked.has(page)), []);
});

describe('the glossary', () => {
  const tables = textOf('docs/glossary.md').split(/^## /m).slice(1);
  const termsOf = (table) => [...table.matchAll(/^\| (?!term \|)([a-z][a-z, ]*) \|/gm)].map(([, term]) => term);

  test('lists its terms in alphabetical order, each of them once', () => {
    assert.equal(tables.length, 2);
    for (const table of tables) assert.deepEqual(termsOf(table), [...termsOf(table)].sort());
    const all = tables.flatMap(termsOf);
    assert.ok(all.length > 40);
    assert.equal(new Set(all).size, all.length);
  });

  test('defines only terms that other pages or the types use', () => {
    const used = [...PAGES.filter((page) => page !== 'docs/glossary.md'), 'index.d.ts', 'src/broker/mod.rs', 'src/lib.rs'].map(textOf).join('\n').toLowerCase();
    const isUsed = (term) => new RegExp(`\\b${term.replaceAll(' ', '\\w* ')}`).test(used);
    const unused = tables.flatMap(termsOf).flatMap((term) => term.split(', ')).filter((term) => !isUsed(term));
    assert.deepEqual(unused, []);
  });
});
