// Holds Kubernetes documents against the schemas of package.json:
//
//     node schemas.mjs MODULES FILE...      MODULES: the folder that script/kubernetes-schemas prints
//
// Two looks at each document. The generated validators know types, words and what is required, but
// let unknown fields through; TypeScript's check of an object literal against the generated types
// does not. Prints a line for each problem; ends with 1 if there is one.
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'here.js'));
const YAML = require('yaml');
const ts = require('typescript');

const extensions = {
    'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
    'cert-manager.io': '@kubernetes-models/cert-manager',
};
const problems = [];

// The API server takes null for unset.
function withoutNulls(value) {
    if (Array.isArray(value))
        return value.map(withoutNulls);
    if (value === null || typeof value !== 'object')
        return value;
    return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null)
        .map(([key, item]) => [key, withoutNulls(item)]));
}

// YAML 1.1, as kubectl and helm read it: a bare `y` is a boolean.
function documentsOf(file) {
    return YAML.parseAllDocuments(fs.readFileSync(file, 'utf8'), {version: '1.1', merge: true})
        .map((document, index) => {
            if (document.errors.length)
                throw new Error(`${file}: ${document.errors[0].message}`);
            return {where: `${file}[${index}]`, value: withoutNulls(document.toJS())};
        }).filter(({value}) => value);
}

async function validate({where, value}) {
    const {apiVersion, kind} = value;
    const base = extensions[apiVersion.split('/')[0]] ?? 'kubernetes-models';
    const file = path.join(modules, base, apiVersion, `${kind}.js`);
    if (!fs.existsSync(file)) {
        problems.push(`${where} ${apiVersion} ${kind}: there is no schema of it`);
        return '';
    }
    const module = await import(pathToFileURL(file));
    try {
        new (module[kind] ?? module.default[kind])(value).validate();
    } catch (error) {
        for (const one of error.errors ?? [error])
            problems.push(`${where} ${kind}: ${one.instancePath ?? ''} ${one.message}`);
    }
    return `/*${where}*/ { const document: import("${base}/${apiVersion}/${kind}").I${kind} = ` +
        `${JSON.stringify(value)}; }\n`;
}

// The program of literals exists in memory only, as if it stood beside the modules.
function checkTypes(literals) {
    const name = path.join(path.dirname(modules), 'documents.ts');
    const options = {
        strict: true, noEmit: true, skipLibCheck: true, types: [],
        module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
    };
    const host = ts.createCompilerHost(options);
    const {getSourceFile, fileExists, readFile} = host;
    const text = 'export {};\n' + literals;
    host.fileExists = (file) => file === name || fileExists(file);
    host.readFile = (file) => file === name ? text : readFile(file);
    host.getSourceFile = (file, ...rest) => file === name
        ? ts.createSourceFile(file, text, options.target) : getSourceFile(file, ...rest);
    for (const found of ts.getPreEmitDiagnostics(ts.createProgram([name], options, host))) {
        const line = found.file === undefined ? 0 : ts.getLineAndCharacterOfPosition(
            found.file, found.start).line;
        const where = text.split('\n')[line].match(/\/\*(.*?)\*\//)?.[1] ?? found.file?.fileName;
        const message = ts.flattenDiagnosticMessageText(found.messageText, ' ');
        problems.push(`${where}: ${message.slice(0, 300)}`);
    }
}

const documents = files.flatMap(documentsOf);
const literals = [];
for (const document of documents)
    literals.push(await validate(document));
checkTypes(literals.join(''));
for (const problem of problems)
    console.log(problem);
console.log(`schemas: ${documents.length} documents, ${problems.length} problems`);
process.exit(problems.length > 0 || documents.length === 0 ? 1 : 0);
