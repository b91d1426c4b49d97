/** Amazon's own DynamoDB for one machine: it comes inside an npm package, and needs a Java, which is installed where there is none. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tools } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'
import { aptInstaller } from './apt.mjs'

const PACKAGE = 'amplify-dynamodb-simulator@2.9.30'
const JAVA = 17
const home = join(tools, 'dynamodb-local')

/** Where its jar is, and where its libraries are. */
export const dynamoDbLocal = { folder: join(home, 'package/emulator'), jar: 'DynamoDBLocal.jar', libraries: './DynamoDBLocal_lib' }

export async function setupDynamoDbLocal() {
  await java()
  if (existsSync(join(dynamoDbLocal.folder, dynamoDbLocal.jar))) return say('· DynamoDB Local: there')
  mkdirSync(home, { recursive: true })
  await step('DynamoDB Local (once; 56 MB)', async () => {
    await run('npm', ['pack', PACKAGE, '--silent'], { cwd: home })
    const file = `${PACKAGE.replace('@', '-')}.tgz`
    await run('tar', ['xzf', file], { cwd: home })
    rmSync(join(home, file))
  })
}

async function java() {
  if (javaVersion() >= JAVA) return say('· Java: there')
  const install = aptInstaller()
  if (install) await step('apt-get install default-jre-headless (once; about a minute)', () => install('default-jre-headless'))
  if (javaVersion() >= JAVA) return
  throw new Failure(`DynamoDB Local needs a Java of version ${JAVA} or newer, and it cannot be installed from here. `
    + `Install one (Debian: openjdk-${JAVA}-jre-headless; macOS: brew install openjdk) and start again.`)
}

/** `openjdk 17.0.15 2025-04-15`: 17. 0 where there is none, or one so old that it says nothing to that. */
const javaVersion = () => Number(/^\S+ (\d+)/.exec(read('java', ['--version']) ?? '')?.[1] ?? 0)
