// Writes reference.json, what onnxruntime computes: NODE_PATH=…/node_modules node reference.cjs, in this folder.
// Image i has the bytes of pixel(i, k) for row, column and colour; ImageNet's mean and deviation normalize them.
const ort = require("onnxruntime-node");
const fs = require("fs");

const images = 4, side = 32, mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225];
const pixel = (i, k) => (k * (2 * i + 1) * 37 + (k >> 5) * (i + 3) * 11) % 256;

async function main() {
  const all = { version: ort.env.versions.node };
  for (const [file, last] of [["resnet", false], ["vit", false], ["vit-last", true]]) {
    const data = new Float32Array(images * 3 * side * side);
    for (let i = 0; i < images; i++)
      for (let k = 0; k < side * side * 3; k++) {
        const c = k % 3, v = (pixel(i, k) / 255 - mean[c]) / std[c];
        data[i * side * side * 3 + (last ? k : c * side * side + (k - c) / 3)] = v;
      }
    const session = await ort.InferenceSession.create(file + ".onnx");
    const dims = last ? [images, side, side, 3] : [images, 3, side, side];
    const out = await session.run({ input: new ort.Tensor("float32", data, dims) });
    all[file] = {};
    for (const [name, t] of Object.entries(out)) all[file][name] = { dims: t.dims, data: Array.from(t.data, (v) => Number(v.toPrecision(8))) };
  }
  fs.writeFileSync("reference.json", JSON.stringify(all) + "\n");
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
