'use strict';

/** Mistakes only; style is what the neighbouring code shows. */

const node = Object.fromEntries([
  'require', 'module', '__dirname', '__filename', 'process', 'console', 'Buffer', 'URL', 'AbortController', 'AbortSignal',
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'queueMicrotask',
  'structuredClone', 'performance', 'globalThis', 'gc',
].map((name) => [name, 'readonly']));

/** Globals that fake timers replace. */
const replaced = [
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'performance', 'Date',
];

module.exports = [
  { ignores: ['binding.js', 'bench/**', 'doc/**', 'npm/**', 'target/**', 'fuzz/**'] },
  {
    files: ['**/*.js', '**/*.mjs'],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: node },
    rules: {
      'constructor-super': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'getter-return': 'error',
      'no-cond-assign': 'error',
      'no-const-assign': 'error',
      'no-control-regex': 'error',
      'no-dupe-args': 'error',
      'no-dupe-class-members': 'error',
      'no-dupe-keys': 'error',
      'no-duplicate-case': 'error',
      'no-fallthrough': 'error',
      'no-func-assign': 'error',
      'no-redeclare': 'error',
      'no-self-assign': 'error',
      'no-this-before-super': 'error',
      'no-undef': 'error',
      'no-unreachable': 'error',
      'no-unsafe-finally': 'error',
      'no-unused-vars': ['error', { args: 'after-used', argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
      'valid-typeof': 'error',
    },
  },
  { files: ['index.js', 'lib/**/*.js', 'scripts/**/*.js'], rules: { 'no-var': 'error', 'prefer-const': 'error', strict: ['error', 'global'] } },
  {
    files: ['lib/**/*.js'],
    ignores: ['lib/timers.js'],
    rules: { 'no-restricted-globals': ['error', ...replaced.map((name) => ({ name, message: 'Test runners replace it: use lib/timers.js.' }))] },
  },
  { files: ['**/*.mjs'], languageOptions: { sourceType: 'module' } },
];
