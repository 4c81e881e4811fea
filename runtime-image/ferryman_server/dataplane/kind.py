"""The types a value may have: one word for V2, one for NumPy, one for people."""

import enum

import numpy as np
import numpy.typing as npt


class Kind(enum.StrEnum):
    """Element types, named as the Open Inference Protocol names them."""

    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """How NumPy holds it; text is held as objects."""
        return _DTYPES[self]

    @property
    def is_float(self) -> bool:
        """Whether null can stand for a missing value, as NaN."""
        return self.value.startswith("FP")

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers will do."""
        return "INT" in self.value

    @property
    def is_number(self) -> bool:
        """Whether it can stand in a numeric matrix."""
        return self.is_float or self.is_integer

    @property
    def noun(self) -> str:
        """What a client is asked for."""
        if self.is_float:
            return f"a number ({self.value})"
        if self.is_integer:
            return f"a whole number ({self.value})"
        return "true or false" if self is Kind.BOOL else "a string"


_DTYPES: dict[Kind, np.dtype[np.generic]] = {
    Kind.BOOL: np.dtype(np.bool_),
    Kind.FP16: np.dtype(np.float16),
    Kind.FP32: np.dtype(np.float32),
    Kind.FP64: np.dtype(np.float64),
    Kind.BYTES: np.dtype(object),
} | {kind: np.dtype(kind.value.lower()) for kind in Kind if "INT" in kind.value}

_KINDS = {dtype: kind for kind, dtype in _DTYPES.items()}


def of(array: npt.NDArray[np.generic]) -> Kind:
    """The kind of an answer; whatever is not a number or a truth value travels as text."""
    return _KINDS.get(array.dtype, Kind.BYTES)
