// Writes schema/ anew: the schema of the AWS provider's types that the modules use, out of npm
// bindings that were made from the real provider's schema. README.md says how to run it.
//
//   node generate.mjs BINDINGS        # the folder lib of @cdktn/provider-aws
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const terraform = join(here, '..');
const lib = process.argv[2];
if (!lib || !existsSync(join(lib, 'vpc'))) {
  console.error('usage: node generate.mjs BINDINGS, the folder lib of @cdktn/provider-aws');
  process.exit(2);
}

// used are the types that stand in the modules and examples.
function used() {
  const found = { resource: new Set(), data: new Set() };
  const look = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory() && entry.name !== 'stub' && entry.name !== '.terraform') look(path);
      if (!entry.name.endsWith('.tf')) continue;
      for (const [, kind, type] of readFileSync(path, 'utf8').matchAll(/^(resource|data) "(aws_\w+)"/gm)) found[kind].add(type);
    }
  };
  look(terraform);
  return found;
}

const primitive = { String: 'string', Number: 'number', Boolean: 'bool' };

// read is a type's block, from the two files of its binding: the JavaScript has an attribute's
// kind and type, the declarations say which are blocks.
function read(folder) {
  const js = readFileSync(join(folder, 'index.js'), 'utf8');
  const declared = readFileSync(join(folder, 'index.d.ts'), 'utf8');
  const classes = [...js.matchAll(/^class (\w+) extends cdktn\.(\w+) \{/gm)];
  const body = {}, kind = {};
  classes.forEach((m, i) => {
    kind[m[1]] = m[2];
    body[m[1]] = js.slice(m.index, classes[i + 1]?.index ?? js.length);
  });
  const shapes = {}; // by class: how its nested blocks are written
  for (const [, name, text] of js.matchAll(/function (\w+)ToHclTerraform\(struct\) \{([\s\S]*?)\n\}\n/g)) shapes[name[0].toUpperCase() + name.slice(1)] = text;
  const blocks = new Set();
  for (const [, name, text] of declared.matchAll(/export interface (\w+)[^{]*\{([\s\S]*?)\n\}/g)) {
    for (const [, attribute] of text.matchAll(/^    \* (\w+) block$/gm)) blocks.add(`${name}.${attribute}`);
  }

  function block(cls, declaredAs, shape) {
    const out = { attributes: {}, block_types: {} };
    const source = body[cls];
    const heads = [...source.matchAll(/^    \/\/ (\w+) - computed: (true|false), optional: (true|false), required: (true|false)[^\n]*\n/gm)];
    const end = source.includes('synthesizeAttributes') ? source.indexOf('synthesizeAttributes') : source.length;
    heads.forEach((head, i) => {
      const [, name, computed, optional, required] = head;
      const code = source.slice(head.index + head[0].length, heads[i + 1]?.index ?? end);
      const a = {};
      if (computed === 'true') a.computed = true;
      if (optional === 'true') a.optional = true;
      if (required === 'true') a.required = true;
      const nested = code.match(new RegExp(`= new (\\w+)\\(this, ['"]${name}['"](?:, (true|false))?\\)`));
      if (nested && !nested[1].startsWith('cdktn')) {
        nest(out, a, name, nested, blocks.has(`${declaredAs}.${name}`) || name === 'timeouts', shape);
        return;
      }
      a.type = typeOf(name, code);
      out.attributes[name] = a;
    });
    return out;
  }

  function nest(out, a, name, [, cls, unique], isBlock, shape) {
    const single = kind[cls] === 'ComplexObject';
    const inner = single ? cls : body[cls].match(/new (\w+OutputReference)\(/)[1];
    const innerName = inner.slice(0, -'OutputReference'.length);
    const said = shape.match(new RegExp(`\\b${name}: \\{[\\s\\S]*?isBlock: (?:true|false),\\s*type: "(\\w+)"`));
    const mode = said ? said[1] : unique === 'true' ? 'set' : 'list';
    const content = block(inner, innerName, shapes[innerName] ?? '');
    if (isBlock) {
      const b = { nesting_mode: mode === 'struct' ? 'single' : mode };
      if (mode !== 'struct' && a.required) b.min_items = 1;
      if (mode !== 'struct' && single) b.max_items = 1;
      out.block_types[name] = { ...b, block: content };
      return;
    }
    const object = objectOf(content);
    if (kind[cls] === 'ComplexMap') a.type = ['map', object];
    else if (mode === 'struct' && single) a.type = object;
    else a.type = [mode === 'list' || mode === 'set' ? mode : unique === 'true' ? 'set' : 'list', object];
    out.attributes[name] = a;
  }

  const main = Object.keys(kind).find((n) => ['TerraformResource', 'TerraformDataSource', 'TerraformProvider'].includes(kind[n]));
  const version = js.match(/providerVersion: '([^']+)'/)?.[1];
  const shape = js.slice(js.indexOf('synthesizeHclAttributes'));
  return { block: kind[main] === 'TerraformProvider' ? provider(shape) : block(main, `${main}Config`, shape), version };
}

function typeOf(name, code) {
  const map = code.match(new RegExp(`= new cdktn\\.(String|Number|Boolean|Any)Map\\(this, ['"]${name}['"]`));
  if (map) return ['map', primitive[map[1]] ?? 'dynamic'];
  const got = code.match(new RegExp(`(tolist\\()?this\\.get(String|Number|Boolean|Any)?(List|Map|)Attribute\\(['"]${name}['"]`));
  if (!got) throw new Error(`the type of ${name} is not to be seen`);
  const base = primitive[got[2] ?? 'String'] ?? 'dynamic';
  if (got[3] === 'List') return [got[1] ? 'set' : 'list', base];
  return got[3] === 'Map' ? ['map', base] : base;
}

// objectOf is the type of an attribute that has the form of a block.
function objectOf(b) {
  const fields = {};
  for (const [name, a] of Object.entries(b.attributes)) fields[name] = a.type;
  for (const [name, n] of Object.entries(b.block_types)) {
    const inner = objectOf(n.block);
    fields[name] = n.nesting_mode === 'single' ? inner : [n.nesting_mode, inner];
  }
  return ['object', fields];
}

// provider has inputs only, and of these the plain ones and default_tags.
function provider(shape) {
  const out = { attributes: {}, block_types: {} };
  const plain = { string: 'string', boolean: 'bool', number: 'number', stringList: 'string', stringMap: 'string' };
  for (const [, name, text] of shape.matchAll(/^            (\w+): \{\n([\s\S]*?)\n            \}/gm)) {
    const stored = text.match(/storageClassType: "(\w+)"/)[1], mode = text.match(/type: "(\w+)"/)[1];
    if (name === 'alias') continue;
    if (stored in plain) out.attributes[name] = { optional: true, type: mode === 'simple' ? plain[stored] : [mode, plain[stored]] };
    else if (name === 'default_tags') {
      out.block_types[name] = { nesting_mode: 'list', max_items: 1, block: { attributes: { tags: { optional: true, type: ['map', 'string'] } }, block_types: {} } };
    }
  }
  return out;
}

// text is a block as JSON with an attribute a line, sorted, so that a change shows.
function text(b, depth = 1) {
  const pad = '  '.repeat(depth);
  const sorted = (o) => Object.entries(o).sort(([x], [y]) => (x < y ? -1 : 1));
  const parts = [];
  const list = (key, lines) => lines.length && parts.push(`${pad}"${key}": {\n${lines.map((l) => `${pad}  ${l}`).join(',\n')}\n${pad}}`);
  list('attributes', sorted(b.attributes).map(([name, a]) => `"${name}": ${JSON.stringify(a)}`));
  list('block_types', sorted(b.block_types).map(([name, { block: inner, ...head }]) => `"${name}": {${JSON.stringify(head).slice(1, -1)},"block":${text(inner, depth + 2)}}`));
  return `{\n${parts.join(',\n')}\n${'  '.repeat(depth - 1)}}`;
}

const folderOf = (kind, type) => {
  const name = type.slice('aws_'.length).replaceAll('_', '-');
  const folder = join(lib, kind === 'data' ? `data-aws-${name}` : name);
  return existsSync(folder) ? folder : `${folder}-resource`;
};

const schema = join(here, 'schema');
rmSync(schema, { recursive: true, force: true });
mkdirSync(join(schema, 'resources'), { recursive: true });
mkdirSync(join(schema, 'data'));
const types = used();
let version;
for (const [kind, folder] of [['resource', 'resources'], ['data', 'data']]) {
  for (const type of types[kind]) {
    const found = read(folderOf(kind, type));
    version ??= found.version;
    writeFileSync(join(schema, folder, `${type}.json`), `${text(found.block)}\n`);
  }
}
writeFileSync(join(schema, 'provider.json'), `${text(read(join(lib, 'provider')).block)}\n`);
console.log(`${types.resource.size} resource types and ${types.data.size} data sources of provider version ${version}`);
