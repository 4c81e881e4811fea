"""Messages that nobody would write: whatever comes, the call ends with a sentence and never with INTERNAL."""

import asyncio

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server import plain
from server.grpc import words

from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.model import Model
from ferryman_server.dataplane.schema import Tensor, Tensors, matrix

SCHEMAS = {"matrix": matrix(2), "tensors": Tensors((Tensor("a", Kind.FP32, (-1, 2)), Tensor("b", Kind.BYTES, (-1,))))}
ENDS = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}

names = st.sampled_from(["a", "b", "input", ""])
contents = st.fixed_dictionaries(
    {},
    optional={
        "bool_contents": st.lists(st.booleans(), max_size=4),
        "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "uint64_contents": st.lists(st.integers(0, 2**64 - 1), max_size=4),
        "fp32_contents": st.lists(st.floats(width=32), max_size=4),
        "fp64_contents": st.lists(st.floats(), max_size=4),
        "bytes_contents": st.lists(st.binary(max_size=6), max_size=4),
    },
)
inputs = st.fixed_dictionaries(
    {
        "name": names,
        "datatype": st.sampled_from([*(kind.value for kind in Kind), "BF16", ""]),
        "shape": st.lists(st.integers(-1, 4) | st.integers(-(2**63), 2**63 - 1), max_size=34),
    },
    optional={"contents": contents},
)
requests = st.builds(
    lambda given, raw, outputs: words.request(*given, raw=raw, outputs=[{"name": name} for name in outputs]),
    st.lists(inputs, max_size=3),
    st.lists(st.binary(max_size=24), max_size=3),
    st.lists(names, max_size=2),
)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_any_message_and_any_bytes(kind):
    """One server and one channel for all examples: a call that harmed the next would show."""
    loop = asyncio.new_event_loop()
    model = Model("test", SCHEMAS[kind], lambda rows: {"y": rows.arrays[0]})

    async def opened():
        stack.append(plain.calls(*plain.serve(model)))
        stack.append(words.client(await stack[0].__aenter__()))
        return await stack[1].__aenter__()

    stack = []
    client = loop.run_until_complete(opened())

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(request=requests, broken=st.binary(max_size=40))
    def tried(request, broken):
        for asked in (request, broken):
            code, told = loop.run_until_complete(client.ended("ModelInfer", asked))
            assert code in ENDS or told.startswith("There is no model"), (code, told)
            assert "Traceback" not in told

    try:
        tried()
    finally:
        for context in reversed(stack):
            loop.run_until_complete(context.__aexit__(None, None, None))
        loop.close()
