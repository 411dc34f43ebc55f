// Writes testdata/parquet: the images of testdata/folder as DuckDB writes Parquet, in the hub's layout, the
// training images in two shards with other compressions. Run it here:
//
//   npm install --prefix DIR @duckdb/node-api@1.5.6-r.1
//   NODE_PATH=DIR/node_modules node make-parquet.cjs
const { DuckDBInstance } = require("@duckdb/node-api");
const fs = require("fs");

async function main() {
  const db = await (await DuckDBInstance.create()).connect();
  fs.rmSync("parquet", { recursive: true, force: true });
  fs.mkdirSync("parquet/data", { recursive: true });
  const hub = JSON.stringify({
    info: { features: { image: { _type: "Image" }, label: { names: ["cat", "dog"], _type: "ClassLabel" } } },
  });
  const shards = [
    ["train", 0, 2, "zstd", "filename LIKE '%/cat/%'"],
    ["train", 1, 2, "snappy", "filename LIKE '%/dog/%'"],
    ["test", 0, 1, "gzip", "true"],
  ];
  for (const [part, k, n, compression, which] of shards) {
    const file = `parquet/data/${part}-0000${k}-of-0000${n}.parquet`;
    await db.run(
      `COPY (SELECT {'bytes': content, 'path': parse_filename(filename)} AS image,
                    CAST(filename LIKE '%/dog/%' AS BIGINT) AS label
             FROM read_blob('folder/${part}/*/*.png') WHERE ${which} ORDER BY filename)
       TO '${file}' (FORMAT parquet, COMPRESSION ${compression}, KV_METADATA {huggingface: '${hub}'})`,
    );
  }
}

main();
