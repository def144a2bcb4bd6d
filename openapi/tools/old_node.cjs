// What the linter's workflows take for granted, and Debian 12's node has elsewhere or not at all.
globalThis.File ??= require('node:buffer').File;
String.prototype.toWellFormed ??= function toWellFormed() {
  return this.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) => (found.length === 2 ? found : '\ufffd'));
};
