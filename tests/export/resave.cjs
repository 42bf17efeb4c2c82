// What TF.js makes of models as it saves them: node resave.cjs FOLDER, in whose node_modules @tensorflow/tfjs lies.
//
// Reads a line {"model": "path/to/model.json", "to": "folder"} for each, and answers "" or what went wrong.

"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");

console.warn = () => {};
const tf = require(require.resolve("@tensorflow/tfjs", { paths: [path.resolve(process.argv[2])] }));

async function load(file) {
  const json = JSON.parse(fs.readFileSync(file, "utf8"));
  const groups = json.weightsManifest;
  const bytes = Buffer.concat(
    groups.flatMap((group) => group.paths).map((one) => fs.readFileSync(path.join(path.dirname(file), one))),
  );
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return { ...json, weightSpecs: groups.flatMap((group) => group.weights), weightData };
}

async function save(folder, artifacts) {
  const { weightData, weightSpecs, ...json } = artifacts;
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "weights.bin"), Buffer.from(weightData));
  const manifest = [{ paths: ["./weights.bin"], weights: weightSpecs }];
  fs.writeFileSync(path.join(folder, "model.json"), JSON.stringify({ ...json, weightsManifest: manifest }));
  return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
}

async function main() {
  await tf.setBackend("cpu");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { model, to } = JSON.parse(line);
    try {
      const loaded = await tf.loadLayersModel({ load: () => load(model) });
      await loaded.save({ save: (artifacts) => save(to, artifacts) });
      process.stdout.write("\n");
    } catch (error) {
      process.stdout.write(String(error) + "\n");
    }
  }
}

main();
