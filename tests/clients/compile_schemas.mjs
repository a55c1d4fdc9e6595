// Compiles every schema of an OpenAPI document with ajv as it comes, which is strict.
// node compile_schemas.mjs DOCUMENT FOLDER_WITH_NODE_MODULES
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [path, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const Ajv = require("ajv/dist/2020.js").default;
const addFormats = require("ajv-formats").default;

// A component is a schema of its own here, as ajv would take the rest of the document for keywords.
const document = JSON.parse(readFileSync(path, "utf-8").replaceAll('"#/components/schemas/', '"component:'));
const ajv = new Ajv();
addFormats(ajv);
for (const [name, schema] of Object.entries(document.components.schemas)) ajv.addSchema(schema, `component:${name}`);

const schemas = Object.keys(document.components.schemas).map((name) => ({ $ref: `component:${name}` }));
(function find(node) {
  for (const [name, member] of Object.entries(node)) {
    if (name === "schema") schemas.push(member);
    else if (member && typeof member === "object" && !["value", "example"].includes(name)) find(member);
  }
})({ paths: document.paths, headers: document.components.headers, responses: document.components.responses });

for (const schema of schemas) ajv.compile(schema);
console.log(`${schemas.length} schemas`);
