/** The templates of deploy/aws: cfn-lint finds nothing, and each function may do what it must, and no more. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const { CFN_LINT, CFN_PYTHON } = process.env
const root = join(import.meta.dirname, '../..')
const file = name => join(root, 'deploy/aws', `${name}.yaml`)
const templates = Object.fromEntries(['coupled', 'pipeline'].map(name => [name, decoded(file(name))]))
const each = (name, check) =>
  Object.entries(templates).forEach(([which, template]) => test(`${which}: ${name}`, () => check(template, which)))

function decoded(path) {
  const { status, stdout, stderr } = spawnSync(CFN_PYTHON, [join(import.meta.dirname, 'decode.py'), path], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

const ofType = ({ Resources }, type) => Object.entries(Resources).filter(([, resource]) => resource.Type === type)
const functions = template => ofType(template, 'AWS::Serverless::Function')
const list = value => [value].flat()

function lint(path) {
  const { status, stdout, stderr } = spawnSync(CFN_LINT, ['-c', 'I', '-t', path], { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

/** A template with something changed, as cfn-lint sees it. */
function lintChanged(name, from, to) {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-'))
  try {
    const path = join(folder, 'template.yaml')
    const text = readFileSync(file(name), 'utf8')
    assert.ok(text.includes(from), `${name} has no ${from}`)
    cpSync(join(root, 'deploy/aws/model'), join(folder, 'model'), { recursive: true })
    writeFileSync(path, text.replace(from, to))
    return lint(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

each('cfn-lint finds nothing', (_, which) => assert.deepEqual(lint(file(which)), { status: 0, said: '' }))

/** A linter that leaves a part out finds nothing there. */
for (const [what, name, from, to, why] of [
  ['a name that is not there', 'coupled', '!GetAtt Events.Arn', '!GetAtt Event.Arn', /Event/],
  ['a property that is none', 'coupled', 'RouteKey:', 'RouteKeys:', /RouteKeys/],
  ['a runtime that is none', 'pipeline', 'Runtime: provided.al2023', 'Runtime: provided.al1923', /al1923/],
  ['a report that is none', 'pipeline', '[ReportBatchItemFailures]', '[ReportFailures]', /ReportFailures/],
])
  test(`cfn-lint finds ${what}`, () => {
    const { status, said } = lintChanged(name, from, to)
    assert.notEqual(status, 0, 'it finds nothing')
    assert.match(said, why)
  })

/**
 * All that functions may do. Whoever gives one more must say so there; that they need no more is a test of
 * `crates/aws/lambda`.
 */
const ALLOWED = JSON.parse(readFileSync(join(import.meta.dirname, 'allowed.json'), 'utf8'))

/** What a policy's resource is, in short. Only those that are known have a name. */
function named(resource) {
  const attribute = resource['Fn::GetAtt']
  if (attribute) {
    const [name, what] = list(attribute).flatMap(part => part.split('.'))
    return what === 'Arn' ? name : `${name}.${what}`
  }
  const text = resource['Fn::Sub']
  const connections = /^arn:\$\{AWS::Partition\}:execute-api:\$\{AWS::Region\}:\$\{AWS::AccountId\}:\$\{Api\}\/sync\/([A-Z]+\/@connections\/\*)$/.exec(text)
  if (connections) return connections[1]
  // AWS gives streams names of its own; listing them is asked of all of a table's.
  const streams = /^\$\{(\w+)\.Arn\}(\/stream\/\*)$/.exec(text)
  assert.ok(streams, `a resource that is not known: ${JSON.stringify(resource)}`)
  return streams[1] + streams[2]
}

function allowed(role) {
  const rights = {}
  for (const { PolicyDocument } of role.Policies)
    for (const { Effect, Action, Resource, ...rest } of PolicyDocument.Statement) {
      assert.deepEqual([Effect, rest], ['Allow', {}])
      for (const resource of list(Resource)) rights[named(resource)] = [...rights[named(resource)] ?? [], ...list(Action)].sort()
    }
  return rights
}

each('a function may do what it must, and no more', (template, which) => {
  const rights = functions(template).map(([name, { Properties }]) => {
    assert.deepEqual(Properties.Role, { 'Fn::GetAtt': [`${name}Role`, 'Arn'] }, 'each has a role of its own')
    assert.ok(!('Policies' in Properties), 'SAM adds nothing')
    const { Properties: role } = template.Resources[`${name}Role`]
    assert.deepEqual(Object.keys(role).sort(), ['AssumeRolePolicyDocument', 'Policies'], 'nor does AWS')
    assert.deepEqual(role.AssumeRolePolicyDocument.Statement[0].Principal, { Service: 'lambda.amazonaws.com' })
    return [name, allowed(role)]
  })
  assert.deepEqual(Object.fromEntries(rights), ALLOWED[which])
  for (const actions of rights.flatMap(([, of]) => Object.values(of)))
    for (const action of actions) assert.ok(!action.includes('*'), action)
  assert.equal(ofType(template, 'AWS::IAM::Role').length, rights.length, 'no other roles')
  assert.deepEqual(ofType(template, 'AWS::IAM::Policy'), [])
})

each('tables are those that the program knows', (template, which) => {
  const program = name => readFileSync(join(root, 'crates/aws/dynamodb/src', name), 'utf8')
  assert.match(program('store.rs'), /"\{\}\{\}_events"[^]*"\{\}\{\}"[^]*"\{\}twin_store"/)
  const tables = Object.fromEntries(ofType(template, 'AWS::DynamoDB::Table'))
  const names = Object.values(tables).map(({ Properties }) => Properties.TableName['Fn::Sub'])
  assert.deepEqual(names, ['${Prefix}${Model}_events', '${Prefix}${Model}', '${Prefix}twin_store', '${Prefix}twin_connections'])
  for (const [name, table] of Object.entries(tables)) {
    const { BillingMode, KeySchema, TimeToLiveSpecification: ttl, PointInTimeRecoverySpecification: backup } = table.Properties
    assert.equal(BillingMode, 'PAY_PER_REQUEST')
    const sort = name === 'Events' ? 'seq' : 'key'
    assert.deepEqual(KeySchema.map(({ AttributeName }) => AttributeName), ['stream', sort])
    const lasts = name !== 'Connections'
    assert.deepEqual([table.DeletionPolicy, table.UpdateReplacePolicy], lasts ? ['Retain', 'Retain'] : ['Delete', 'Delete'])
    assert.equal(backup?.PointInTimeRecoveryEnabled ?? false, lasts)
    const ends = name === 'Records' || name === 'Connections' || (name === 'Events' && which === 'pipeline')
    assert.deepEqual(ttl, ends ? { AttributeName: 'expires', Enabled: true } : undefined, name)
    const streams = which === 'pipeline' && (name === 'Events' || name === 'Records')
    assert.equal('StreamSpecification' in table.Properties, streams, name)
  }
})

each('functions are small, end before the gateway does, and ask who comes', (template, which) => {
  const { Runtime, Architectures, Timeout, Environment } = template.Globals.Function
  assert.deepEqual([Runtime, Architectures, template.Parameters.Architecture.Default], ['provided.al2023', [{ Ref: 'Architecture' }], 'arm64'])
  assert.ok(Timeout < 29)
  assert.deepEqual(Environment.Variables.TWINSTORE_STORE, { 'Fn::Sub': '${Prefix}?create=false' })
  assert.equal(template.Parameters.AllowAnyone.Default, 'no')
  assert.ok(template.Rules.TokensAreAskedFor)
  for (const [name, { Properties }] of functions(template)) {
    assert.equal(Properties.Environment.Variables.TWINSTORE_FUNCTION, which === 'pipeline' ? name.toLowerCase() : undefined)
    assert.ok(!('Timeout' in Properties))
  }
})

/** A name that the program does not read would say nothing, silently. */
each('the variables are those that the program reads', template => {
  const program = readFileSync(join(root, 'crates/aws/lambda/src/settings.rs'), 'utf8')
  for (const [, { Properties }] of functions(template)) {
    const variables = { ...template.Globals.Function.Environment.Variables, ...Properties.Environment.Variables }
    for (const name of Object.keys(variables)) assert.ok(program.includes(`variable("${name}")`), name)
    assert.deepEqual(variables.TWINSTORE_MODELS, { 'Fn::Sub': '${Model}=/opt/model.js' })
  }
})

each('the gateway has its three routes, and a limit', template => {
  const routes = ofType(template, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => Properties.RouteKey)
  assert.deepEqual(routes.sort(), ['$connect', '$default', '$disconnect'])
  const [[, { Properties: stage }]] = ofType(template, 'AWS::ApiGatewayV2::Stage')
  assert.ok(stage.DefaultRouteSettings.ThrottlingRateLimit)
  assert.equal(stage.StageName, 'sync', 'policies name it')
})

each('there is an alarm for each function and each queue, and someone to hear it', template => {
  const alarms = ofType(template, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties)
  const watched = alarms.flatMap(({ MetricName, Dimensions }) => Dimensions.map(({ Value }) => `${MetricName} ${Object.values(Value)[0]}`))
  for (const [name, { Properties }] of functions(template)) {
    assert.ok(watched.includes(`Errors ${name}`) && watched.includes(`Throttles ${name}`), name)
    if (Properties.Events) assert.ok(watched.includes(`IteratorAge ${name}`), name)
  }
  for (const [name] of ofType(template, 'AWS::SQS::Queue'))
    assert.ok(watched.some(one => one.startsWith('ApproximateNumberOfMessagesVisible') && one.includes(name)), name)
  assert.ok(watched.includes('IntegrationError Api'))
  for (const { AlarmActions } of alarms) assert.deepEqual(AlarmActions['Fn::If'][0], 'HasTopic')
})

test('pipeline: what fails is told one by one, halved, and put aside at last', () => {
  const sources = functions(templates.pipeline).flatMap(([name, { Properties }]) =>
    Object.values(Properties.Events ?? {}).map(({ Type, Properties: source }) => ({ name, Type, ...source })))
  assert.deepEqual(sources.map(({ name, Stream }) => [name, list(Stream['Fn::GetAtt']).join('.')]), [['Reduce', 'Events.StreamArn'], ['Push', 'Records.StreamArn']])
  for (const source of sources) {
    // What a head was says where the news begins.
    const view = source.name === 'Push' ? 'NEW_AND_OLD_IMAGES' : 'NEW_IMAGE'
    const table = templates.pipeline.Resources[list(source.Stream['Fn::GetAtt']).join('.').split('.')[0]]
    assert.equal(table.Properties.StreamSpecification.StreamViewType, view)
    const { Variables } = templates.pipeline.Resources[source.name].Properties.Environment
    assert.match(Variables.TWINSTORE_GATEWAY['Fn::Sub'], /^https:\/\/\$\{Api\}.*\/sync$/, 'no request says where the gateway is')
    assert.deepEqual([source.Type, source.FunctionResponseTypes], ['DynamoDB', ['ReportBatchItemFailures']])
    assert.equal(source.BisectBatchOnFunctionError, true)
    assert.ok(source.MaximumRetryAttempts > 0 && source.MaximumRecordAgeInSeconds > 0, 'nothing is tried for ever')
    assert.deepEqual(source.DestinationConfig.OnFailure.Destination, { 'Fn::GetAtt': ['LeftOver', 'Arn'] })
    for (const { Pattern } of source.FilterCriteria.Filters) assert.ok(JSON.parse(Pattern).dynamodb.Keys, 'others wake nobody')
  }
})
