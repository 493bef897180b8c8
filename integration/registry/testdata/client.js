// Uses a registry as an application in JavaScript does. Arguments: URL TOKEN PREFIX.
const assert = require('assert')
const { SchemaRegistry, SchemaType, COMPATIBILITY } = require('@kafkajs/confluent-schema-registry')

async function main(host, password, prefix) {
  const order = { type: 'record', name: 'Order', namespace: prefix + '.js', fields: [{ name: 'id', type: 'long' }] }
  const other = { type: 'record', name: 'Order', namespace: prefix + '.js', fields: [{ name: 'id', type: 'string' }] }
  const registry = new SchemaRegistry({ host, auth: { username: 'anybody', password } })
  const subject = prefix + '.js.orders-value'
  const text = JSON.stringify(order)
  const { id } = await registry.register({ type: SchemaType.AVRO, schema: text }, { subject, compatibility: COMPATIBILITY.FULL })
  assert.strictEqual((await registry.register({ type: SchemaType.AVRO, schema: text }, { subject, compatibility: COMPATIBILITY.FULL })).id, id)
  assert.strictEqual(await registry.getLatestSchemaId(subject), id)
  assert.strictEqual(await registry.getRegistryId(subject, 1), id)
  assert.strictEqual(await registry.getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema: text }), id)

  const bytes = await registry.encode(id, { id: 7 })
  const reader = new SchemaRegistry({ host, auth: { username: 'anybody', password } })
  assert.strictEqual((await reader.decode(bytes)).id, 7)

  await assert.rejects(registry.register({ type: SchemaType.AVRO, schema: JSON.stringify(other) }, { subject, compatibility: COMPATIBILITY.FULL }), /incompatible/i)
  await assert.rejects(new SchemaRegistry({ host, auth: { username: 'anybody', password: 'wrong' }, retry: { retries: 0 } }).getLatestSchemaId(subject))
  console.log('ok')
}

main(...process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1) })
