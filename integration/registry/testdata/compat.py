"""Answers with Avro's own checker: each line of input is [reader, writer]."""

import json
import sys

from avro.compatibility import ReaderWriterCompatibilityChecker
from avro.schema import parse

for line in sys.stdin:
    reader, writer = (parse(text) for text in json.loads(line))
    found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    print(json.dumps(sorted({kind.value.upper() for kind in found.incompatibilities})))
