// Real TF.js, asked from Python: node judge.cjs FOLDER, in whose node_modules @tensorflow/tfjs lies.
//
// Reads one question a line, {"model": "path/to/model.json", "inputs": [{"shape": [...], "data": base64 of float32}]},
// and answers each with a line, {"outputs": [{"shape", "data"}], "seconds": of the prediction} or {"error": "..."}.
// The model of the question before is kept, so that asking it again costs no loading.

"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");

console.warn = () => {}; // that node has a faster backend to offer
const tf = require(require.resolve("@tensorflow/tfjs", { paths: [path.resolve(process.argv[2])] }));

/** The files of a model as TF.js wants them. */
function artifacts(file) {
  const json = JSON.parse(fs.readFileSync(file, "utf8"));
  const groups = json.weightsManifest || [];
  const shards = groups.flatMap((group) => group.paths).map((one) => fs.readFileSync(path.join(path.dirname(file), one)));
  const bytes = Buffer.concat(shards);
  return {
    ...json,
    weightSpecs: groups.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
  };
}

function taken(input) {
  const bytes = Buffer.from(input.data, "base64");
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return tf.tensor(values, input.shape, "float32");
}

function given(output) {
  const values = Float32Array.from(output.dataSync());
  return { shape: output.shape, data: Buffer.from(values.buffer).toString("base64") };
}

/** What tells a file from another that takes its place. */
function identity(file) {
  const { ino, mtimeMs, size } = fs.statSync(file);
  return [file, ino, mtimeMs, size].join();
}

let kept = { file: null, model: null };

async function answer(question) {
  const file = identity(question.model);
  if (kept.file !== file) {
    if (kept.model) kept.model.dispose();
    kept = { file: null, model: null };
    const model = await tf.loadLayersModel({ load: async () => artifacts(question.model) });
    kept = { file, model };
  }
  const inputs = question.inputs.map(taken);
  const begin = process.hrtime.bigint();
  const found = kept.model.predict(inputs.length > 1 ? inputs : inputs[0]);
  const outputs = (Array.isArray(found) ? found : [found]).map(given);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  tf.dispose([inputs, found]);
  return { outputs, seconds };
}

async function main() {
  await tf.setBackend("cpu");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let reply;
    try {
      reply = await answer(JSON.parse(line));
    } catch (error) {
      reply = { error: String((error && error.message) || error) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
}

main();
