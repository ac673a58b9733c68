// Preloaded into jsii's Node by fast_synth.py: the AWS provider's index loads 2,216 modules, its lazy index
// has the same exports as getters. Where the package has no lazy index, nothing changes.
"use strict";
const fs = require("fs");
const Module = require("module");

const INDEX = /([\\/]@cdktf[\\/]provider-aws[\\/]lib[\\/])index\.js$/;
const resolveFilename = Module._resolveFilename;

Module._resolveFilename = function (...args) {
  const resolved = resolveFilename.apply(this, args);
  if (!INDEX.test(resolved)) {
    return resolved;
  }
  const lazy = resolved.replace(INDEX, "$1lazy-index.js");
  return fs.existsSync(lazy) ? lazy : resolved;
};
