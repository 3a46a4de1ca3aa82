'use strict';

/** Mistakes, and the layout of the code: `npm run format` mends the latter. */

const node = Object.fromEntries([
  'require', 'module', '__dirname', '__filename', 'process', 'console', 'Buffer', 'URL', 'AbortController', 'AbortSignal',
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'queueMicrotask',
  'structuredClone', 'performance', 'globalThis', 'gc',
].map((name) => [name, 'readonly']));

/** Globals that fake timers replace. */
const replaced = [
  'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'performance', 'Date',
];

/** What `eslint --fix` does by itself. Names and the choice of words are what the neighbouring code shows. */
const layout = {
  'array-bracket-spacing': 'error',
  'arrow-parens': ['error', 'always'],
  'arrow-spacing': 'error',
  'block-spacing': 'error',
  'brace-style': ['error', '1tbs', { allowSingleLine: true }],
  'comma-spacing': 'error',
  'eol-last': 'error',
  indent: ['error', 2, { SwitchCase: 1, MemberExpression: 'off', offsetTernaryExpressions: true, ignoredNodes: ['ConditionalExpression', 'TemplateLiteral *'] }],
  'key-spacing': 'error',
  'keyword-spacing': 'error',
  'linebreak-style': 'error',
  'max-len': ['error', { code: 200, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }],
  'no-multi-spaces': ['error', { ignoreEOLComments: true }],
  'no-multiple-empty-lines': ['error', { max: 1, maxBOF: 0, maxEOF: 0 }],
  'no-tabs': 'error',
  'no-trailing-spaces': 'error',
  'no-whitespace-before-property': 'error',
  'object-curly-spacing': ['error', 'always'],
  'padded-blocks': ['error', 'never'],
  quotes: ['error', 'single', { avoidEscape: true, allowTemplateLiterals: true }],
  semi: ['error', 'always'],
  'semi-spacing': 'error',
  'space-before-blocks': 'error',
  'space-before-function-paren': ['error', { anonymous: 'always', named: 'never', asyncArrow: 'always' }],
  'space-infix-ops': 'error',
  'spaced-comment': 'error',
  'template-curly-spacing': 'error',
};

module.exports = [
  { ignores: ['binding.js', 'bench/**', 'doc/**', 'npm/**', 'target/**', 'fuzz/**'] },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
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
    ignores: ['lib/base/timers.js'],
    rules: { 'no-restricted-globals': ['error', ...replaced.map((name) => ({ name, message: 'Test runners replace it: use lib/base/timers.js.' }))] },
  },
  { files: ['**/*.mjs'], languageOptions: { sourceType: 'module' } },
  // An example of the original, letter by letter.
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ignores: ['__test__/fixtures/readme-original.js'], rules: layout },
];
