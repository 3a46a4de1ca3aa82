/**
 * Checks that a worker class does not hide inherited properties by fields or methods of the same name.
 */
'use strict';

const { failure } = require('./errors');

/** Read-only properties of `Worker`. `epoch` is not among them: it is newer than many classes, which may have one of their own. */
const READ_ONLY = ['id', 'state', 'attributes'];

function hides(className, name, what) {
  const text = `Worker class ${className} has ${what} named ${name}, which hides the property ${name} of Worker. Rename it`;
  const hint = name === 'attributes' ? ' (in TypeScript: "declare attributes: …" gives the type and makes no field)' : '';
  return failure('DW_ERR_CONFIG', `${text}${hint}.`);
}

/**
 * Throws where the class's prototype has a method or a value in the place of such a property. Accessors may override it; a `load`
 * that cannot be set would never reach the broker.
 */
function checkPrototype(WorkerClass, className, Worker) {
  for (let { prototype } = WorkerClass; prototype !== Worker.prototype; prototype = Object.getPrototypeOf(prototype)) {
    for (const name of [...READ_ONLY, 'load']) {
      const found = Object.getOwnPropertyDescriptor(prototype, name);
      if (found === undefined) continue;
      if ('value' in found) throw hides(className, name, typeof found.value === 'function' ? 'a method' : 'a value');
      if (name === 'load' && found.set === undefined) throw hides(className, name, 'a getter without a setter');
    }
  }
}

/**
 * What class fields have put in the place of such properties goes: a load is set; a field without a value was a declaration; any other one
 * is refused, unless it says the same.
 */
function absorbFields(worker, className, setLoad) {
  for (const name of [...READ_ONLY, 'load']) {
    const field = Object.getOwnPropertyDescriptor(worker, name);
    if (field === undefined) continue;
    if (!('value' in field) || !Reflect.deleteProperty(worker, name)) throw hides(className, name, 'a field');
    if (field.value === undefined) continue;
    if (name === 'load') setLoad(field.value);
    else if (!Object.is(field.value, worker[name])) throw hides(className, name, 'a field');
  }
}

/** The setter of a read-only property: JavaScript's own error would name no reason, and in sloppy mode there would be none. */
function refuseToSet(name) {
  return function (value) {
    if (Object.is(value, this[name])) return;
    throw failure('DW_ERR_CONFIG', `The property ${name} of a Worker is read-only: ${this.constructor.name} must not set it. Use another name.`);
  };
}

/** The setter of a property that a class may have for itself. */
function keepOwn(name) {
  return function (value) {
    Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
  };
}

module.exports.absorbFields = absorbFields;
module.exports.checkPrototype = checkPrototype;
module.exports.keepOwn = keepOwn;
module.exports.refuseToSet = refuseToSet;
