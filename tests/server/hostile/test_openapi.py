"""Schemathesis reads what the server says of itself, and asks what fits it and what does not."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
POSTS = ["/v1/models/iris:predict", "/v2/models/iris/infer", "/invocations"]
ASKS = settings(
    max_examples=60,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def statuses(operation: schemathesis.APIOperation, mode: GenerationMode) -> Counter[int]:
    """What an operation answers to requests of this mode, each checked against the document."""
    found: Counter[int] = Counter()

    @ASKS
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        answer = case.call()
        found[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    return found


@pytest.mark.parametrize("model", ["iris", "homes", "tensors"])
def test_the_server_does_what_its_document_says(servers, model):
    document = schemathesis.openapi.from_url(servers[model].address + "/openapi.json")
    operations = {one.ok().path: one.ok() for one in document.get_all_operations()}

    for path, operation in operations.items():
        fitting = statuses(operation, GenerationMode.POSITIVE)
        assert fitting[200], (path, fitting)
        if path in POSTS:
            assert set(statuses(operation, GenerationMode.NEGATIVE)) <= {400, 415}, path
    assert set(POSTS) < set(operations)
