// Makes the schemas in this folder again. In an empty folder, with Node 20:
//   npm install @grafana/schema@13.2.2 @grafana/data@13.2.2 react@18 react-dom@18 rxjs@7 ts-json-schema-generator@2.4.0 typescript@5.9
//   node generate.mjs THIS_FOLDER      (from a copy of this file in that empty folder)
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

const target = resolve(process.argv[2]);
const raw = resolve('node_modules/@grafana/schema/dist/types/raw');
const write = (name, value) => writeFileSync(join(target, `${name}.json`), `${JSON.stringify(value, null, 1)}\n`);
const schemaOf = (path, type) => createGenerator({ path, type, skipTypeCheck: true, topRef: false, additionalProperties: false }).createSchema(type);

write('dashboard', schemaOf(join(raw, 'dashboard/x/types.gen.d.ts'), 'Dashboard'));
for (const [panel, types] of Object.entries({
  stat: ['Options'], table: ['Options', 'FieldConfig'], timeseries: ['Options', 'FieldConfig'],
  statetimeline: ['Options', 'FieldConfig'], heatmap: ['Options', 'FieldConfig'],
})) for (const type of types) write(`${panel}.${type}`, schemaOf(join(raw, `composable/${panel}/panelcfg/x/types.gen.d.ts`), type));

globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] }; // @grafana/data looks for a browser's
const require = createRequire(join(process.cwd(), 'x.js'));
const data = require('@grafana/data');
write('ids', {
  version: require('@grafana/schema/package.json').version,
  units: data.getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)).sort(),
  transformations: Object.values(data.DataTransformerID).sort(),
  reducers: data.fieldReducers.list().map((reducer) => reducer.id).sort(),
  colors: data.fieldColorModeRegistry.list().map((mode) => mode.id).sort(),
});
