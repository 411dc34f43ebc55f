// Runs a model with onnxruntime: node onnxruntime.cjs MODEL N HEIGHT WIDTH < pixels (uint8, [N, 3, H, W]).
// Prints {"version": …, "logits": [[…]…], "probabilities": [[…]…]}. NODE_PATH says where onnxruntime-node is.
const ort = require("onnxruntime-node");
const fs = require("fs");

async function main() {
  const [model, ...dims] = process.argv.slice(2);
  const [n, h, w] = dims.map(Number);
  const session = await ort.InferenceSession.create(model);
  const pixels = new ort.Tensor("uint8", new Uint8Array(fs.readFileSync(0)), [n, 3, h, w]);
  const result = await session.run({ pixels });
  const rows = (t) =>
    Array.from({ length: n }, (_, i) => Array.from(t.data.slice((i * t.data.length) / n, ((i + 1) * t.data.length) / n)));
  const version = ort.env.versions.node;
  console.log(JSON.stringify({ version, logits: rows(result.logits), probabilities: rows(result.probabilities) }));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
