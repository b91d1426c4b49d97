/** Amazon's own DynamoDB for one machine: it comes inside an npm package, and needs a Java. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tools } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'

const PACKAGE = 'amplify-dynamodb-simulator@2.9.30'
const home = join(tools, 'dynamodb-local')

/** Where its jar is, and where its libraries are. */
export const dynamoDbLocal = { folder: join(home, 'package/emulator'), jar: 'DynamoDBLocal.jar', libraries: './DynamoDBLocal_lib' }

export async function setupDynamoDbLocal() {
  if (read('java', ['--version']) === null)
    throw new Failure('DynamoDB Local needs a Java of version 17 or newer. Install one (Debian: openjdk-17-jre-headless) and start again.')
  if (existsSync(join(dynamoDbLocal.folder, dynamoDbLocal.jar))) return say('· DynamoDB Local: there')
  mkdirSync(home, { recursive: true })
  await step('DynamoDB Local (once; 56 MB)', async () => {
    await run('npm', ['pack', PACKAGE, '--silent'], { cwd: home })
    const file = `${PACKAGE.replace('@', '-')}.tgz`
    await run('tar', ['xzf', file], { cwd: home })
    rmSync(join(home, file))
  })
}
