"""TensorFlow SavedModels, asked by every protocol: what they answer is what TensorFlow answers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from server import plain

from ferryman_server import warmup
from ferryman_server.dataplane.errors import InvalidInputError
from ferryman_server.dataplane.kind import Kind
from ferryman_server.dataplane.rows import Rows
from ferryman_server.dataplane.schema import Table, Tensors
from ferryman_server.reason import FatalError, Reason

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2]]


class Line(tf.Module):
    """A matrix times a matrix."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="flowers")])
    def __call__(self, flowers):
        return {"scores": tf.matmul(flowers, self.weights)}


def saved(directory, module, **signatures):
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return directory


def line(directory):
    module = Line()
    return module, saved(directory, module, serving_default=module.__call__)


def matrix(rows=ROWS):
    return np.array(rows, dtype=np.float32)


async def test_a_saved_model_answers_every_protocol(tmp_path):
    module, _ = line(tmp_path)
    wanted = (matrix() @ module.weights.numpy()).tolist()

    model = plain.load(tmp_path)
    async with plain.client(model) as http:
        v1 = await http.post("/v1/models/iris:predict", json={"instances": ROWS})
        named = await http.post(
            "/v1/models/iris:predict", json={"signature_name": "serving_default", "inputs": {"flowers": ROWS}}
        )
        v2 = await http.post(
            "/v2/models/iris/infer",
            json={"inputs": [{"name": "flowers", "datatype": "FP32", "shape": [2, 4], "data": ROWS}]},
        )
        metadata = (await http.get("/v1/models/iris/metadata")).json()
        wide = await http.post("/v1/models/iris:predict", json={"instances": [[1, 2, 3]]})

    assert model.platform == "tensorflow_savedmodel"
    assert model.packages == {"tensorflow": tf.__version__}
    assert isinstance(model.schema, Table)
    assert (model.schema.width, model.schema.packed, model.schema.tensor) == (4, Kind.FP32, "flowers")
    assert np.allclose(v1.json()["predictions"], wanted)
    assert np.allclose(named.json()["outputs"], wanted)
    assert v2.json()["outputs"][0]["name"] == "scores"
    assert np.allclose(np.reshape(v2.json()["outputs"][0]["data"], (2, 3)), wanted)
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["outputs"]["scores"]["dtype"] == "DT_FLOAT"
    assert (wide.status_code, wide.json()["error"]) == (
        400,
        '"instances[0]" must have 4 numbers a row, got 3 values.',
    )


class Shouting(tf.Module):
    """Text and numbers in, text and numbers out."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 1], tf.string, name="city"),
            tf.TensorSpec([None, 1], tf.int64, name="rooms"),
        ]
    )
    def __call__(self, city, rooms):
        return {"loud": tf.strings.upper(city), "more": rooms + 1}


async def test_text_goes_in_and_comes_out_as_text(tmp_path):
    module = Shouting()
    saved(tmp_path, module, serving_default=module.__call__)

    async with plain.client(plain.load(tmp_path)) as http:
        answer = await http.post("/v1/models/iris:predict", json={"instances": [{"city": "bonn", "rooms": 2}]})

    assert answer.json() == {"predictions": [{"loud": ["BONN"], "more": [3]}]}


class Picture(tf.Module):
    """More than a matrix."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 2], tf.uint8, name="image")])
    def __call__(self, image):
        return {"mean": tf.reduce_mean(tf.cast(image, tf.bfloat16), axis=[1, 2])}


def test_a_picture_is_a_tensor_and_an_answer_that_numpy_does_not_know_is_widened(tmp_path):
    module = Picture()
    saved(tmp_path, module, serving_default=module.__call__)

    model = plain.load(tmp_path)
    answer = model.predict(Rows((np.full((1, 2, 2), 3, dtype=np.uint8),), 1))

    assert isinstance(model.schema, Tensors)
    assert [(one.name, one.kind, one.shape) for one in model.schema.tensors] == [("image", Kind.UINT8, (-1, 2, 2))]
    assert (answer["mean"].dtype, answer["mean"].tolist()) == (np.float32, [3.0])
    assert warmup.run(model, tmp_path, 2, "iris").predictions == 2


class Looking(tf.Module):
    """Knows ten words."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(np.arange(10, dtype=np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="word")])
    def __call__(self, word):
        return {"value": tf.gather(self.table, word)}


def test_values_that_the_net_does_not_take_are_the_clients_fault(tmp_path):
    module = Looking()
    saved(tmp_path, module, serving_default=module.__call__)
    model = plain.load(tmp_path)

    assert model.predict(Rows((np.array([3, 4]),), 2))["value"].tolist() == [3.0, 4.0]
    with pytest.raises(InvalidInputError, match=r"does not take these values: .*\[0, 10\)") as refused:
        model.predict(Rows((np.array([30]),), 1))
    assert "\n" not in str(refused.value)


def test_the_only_signature_is_taken_whatever_it_is_called(tmp_path):
    module = Line()
    saved(tmp_path, module, classify=module.__call__)

    assert plain.load(tmp_path).predict(Rows((matrix(),), 2))["scores"].shape == (2, 3)


@pytest.mark.parametrize(
    ("names", "fact"),
    [
        (("left", "right"), "has the signatures left, right, and none is called serving_default"),
        ((), "has no signature"),
    ],
)
def test_a_model_without_a_default_signature_is_refused_with_what_it_has(tmp_path, names, fact):
    module = Picture()
    saved(tmp_path, module, **dict.fromkeys(names, module.__call__))

    with pytest.raises(FatalError, match=fact) as refused:
        plain.load(tmp_path)

    assert refused.value.reason is Reason.LOAD_FAILED


def test_a_keras_model_that_was_exported_is_served(tmp_path):
    net = keras.Sequential([keras.Input((4,), name="flowers"), keras.layers.Dense(3, activation="softmax")])
    net.export(str(tmp_path), verbose=False)

    model = plain.load(tmp_path)

    [answer] = model.predict(Rows((matrix(),), 2)).values()
    assert model.schema.width == 4
    assert np.allclose(answer, net(matrix()).numpy(), atol=1e-6)


def test_a_saved_model_is_not_opened_before_it_is_trusted(tmp_path):
    line(tmp_path)

    with pytest.raises(FatalError) as refused:
        plain.load(tmp_path, allow_pickle=False)

    assert refused.value.reason is Reason.UNTRUSTED_FORMAT


class Twofold(tf.Module):
    """Two functions of the same rows, and one that no client can ask for."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="numbers")])
    def sums(self, numbers):
        return {"sum": tf.reduce_sum(numbers, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def sizes(self, words):
        return {"size": tf.strings.length(words), "words_bytes": words}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="number")])
    def alone(self, number):
        return {"number": number}


async def test_a_signature_that_a_saved_model_has_was_refused(tmp_path):
    module = Twofold()
    saved(tmp_path, module, serving_default=module.sums, sizes=module.sizes, alone=module.alone)

    async with plain.client(plain.load(tmp_path)) as http:
        sums = await http.post("/v1/models/iris:predict", json={"instances": [[1, 2]]})
        sizes = await http.post(
            "/v1/models/iris:predict", json={"signature_name": "sizes", "instances": [{"b64": "/wA="}, "abc"]}
        )
        alone = await http.post("/v1/models/iris:predict", json={"signature_name": "alone", "instances": [1]})

    assert sums.json() == {"predictions": [3.0]}
    assert sizes.json() == {
        "predictions": [{"size": 2, "words_bytes": {"b64": "/wA="}}, {"size": 3, "words_bytes": {"b64": "YWJj"}}]
    }
    assert (alone.status_code, alone.json()["error"]) == (
        400,
        'The model has no signature "alone"; it has "serving_default", "sizes".',
    )
