"""Uses a registry as an application in Python does. Arguments: URL TOKEN PREFIX."""

import sys

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

ORDER = '{"type":"record","name":"Order","namespace":"NS","fields":[{"name":"id","type":"long"}]}'
WIDER = '{"type":"record","name":"Order","namespace":"NS","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}'
OTHER = '{"type":"record","name":"Order","namespace":"NS","fields":[{"name":"id","type":"string"}]}'
LINE = '{"type":"record","name":"Line","namespace":"NS","fields":[{"name":"order","type":"NS.Order"}]}'


def refused(code, call):
    try:
        call()
    except SchemaRegistryError as e:
        assert e.error_code == code, e
        return
    raise AssertionError(f"no error {code}")


def main(url, token, prefix):
    settings = {"url": url, "basic.auth.user.info": "anybody:" + token}
    client = SchemaRegistryClient(settings)
    topic, lines = prefix + ".py.orders", prefix + ".py.lines-value"
    subject, namespace = topic + "-value", prefix + ".py"
    order, wider, other, line = (text.replace("NS", namespace) for text in (ORDER, WIDER, OTHER, LINE))

    # The serializer registers, the deserializer looks the id up.
    context = SerializationContext(topic, MessageField.VALUE)
    data = AvroSerializer(client, order)({"id": 7}, context)
    assert AvroDeserializer(client)(data, context) == {"id": 7}
    found = client.lookup_schema(subject, Schema(order, "AVRO"))
    assert found.schema_id == int.from_bytes(data[1:5], "big") and found.version == 1, found
    assert client.register_schema(subject, Schema(order, "AVRO")) == found.schema_id
    assert client.get_schema(found.schema_id).schema_str == order
    assert client.get_latest_version(subject).schema_id == found.schema_id
    assert subject in client.get_subjects() and client.get_versions(subject) == [1]

    # Compatibility.
    assert client.test_compatibility(subject, Schema(wider, "AVRO"))
    assert not client.test_compatibility(subject, Schema(other, "AVRO"))
    refused(409, lambda: client.register_schema(subject, Schema(other, "AVRO")))
    client.set_compatibility(subject, "NONE")
    assert client.get_compatibility(subject) == "NONE"
    client.register_schema(subject, Schema(other, "AVRO"))
    refused(42203, lambda: client.set_compatibility(subject, "SOME"))

    # References.
    referring = Schema(line, "AVRO", [SchemaReference(namespace + ".Order", subject, 1)])
    assert client.register_schema(lines, referring) > found.schema_id
    refused(42206, lambda: client.delete_version(subject, 1))
    refused(42201, lambda: client.register_schema(prefix + ".py.json-value", Schema('{"type":"object"}', "JSON")))

    # Deletes.
    assert client.delete_version(subject, 2) == 2
    refused(40402, lambda: client.get_version(subject, 2))
    refused(40405, lambda: client.delete_subject(lines, permanent=True))
    assert client.delete_subject(lines) == [1]
    assert client.delete_subject(lines, permanent=True) == [1]
    assert client.delete_subject(subject) == [1]
    fresh = SchemaRegistryClient(settings)  # the other one remembers
    refused(40401, lambda: fresh.get_latest_version(subject))
    assert fresh.get_schema(found.schema_id).schema_str == order, "an id of a deleted subject keeps its meaning"

    refused(40101, lambda: SchemaRegistryClient({"url": url, "basic.auth.user.info": "anybody:wrong"}).get_subjects())
    print("ok")


main(*sys.argv[1:])
