/** The Rust toolchain with its WASM target, and the two tools that turn its output into a package. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exe, tools } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'

const TARGET = 'wasm32-unknown-unknown'
/** The same as in Cargo.lock: the crate and the command line must match exactly. */
const WASM_BINDGEN = '0.2.130'
const WASM_PACK = '0.15.1'

export async function wasmTarget() {
  if (read('cargo', ['--version']) === null)
    throw new Failure('cargo was not found. Install Rust by rustup, open a new shell and start again.')
  const libdir = read('rustc', ['--print', 'target-libdir', '--target', TARGET])
  if (libdir !== null && existsSync(libdir)) return say(`· ${TARGET}: there`)
  if (read('rustup', ['--version']) === null)
    throw new Failure(`This Rust has no ${TARGET} and there is no rustup to add it. Install Rust by rustup, or add the target by your system's packages.`)
  await step(`rustup target add ${TARGET}`, () => run('rustup', ['target', 'add', TARGET]))
}

/** A debug build without debug information: a third of the time of a release build, and fast enough. */
export const wasmBindgen = () =>
  cargoTool('wasm-bindgen', `wasm-bindgen ${WASM_BINDGEN}`,
    ['wasm-bindgen-cli', '--version', WASM_BINDGEN, '--no-default-features'], 'about a minute')

export const wasmPack = () =>
  cargoTool('wasm-pack', `wasm-pack ${WASM_PACK}`, ['wasm-pack', '--version', WASM_PACK, '--locked'], 'two to four minutes')

/** DynamoDB for the tests: a program and not a library, since it links another SQLite than the server does. */
export const dynoxide = () =>
  cargoTool('dynoxide', 'dynoxide 1.5.0',
    ['dynoxide-rs', '--version', '3.2.0', '--locked', '--no-default-features', '--features', 'native-sqlite,http-server,cli'],
    'two to three minutes')

async function cargoTool(command, version, args, takes) {
  for (const candidate of [join(tools, 'bin', command + exe), command])
    if (read(candidate, ['--version']) === version) return say(`· ${version}: there`)
  // Without a target folder of ours cargo builds in a temporary one and removes it.
  const env = { CARGO_PROFILE_DEV_DEBUG: '0', CARGO_TARGET_DIR: undefined }
  await step(`cargo install ${args[0]} (once; ${takes})`, () =>
    run('cargo', ['install', ...args, '--debug', '--root', tools, '--force'], { env }))
  if (read(command, ['--version']) !== version)
    throw new Failure(`${command} was installed but does not answer with ${version}.`)
}
