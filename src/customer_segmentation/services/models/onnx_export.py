"""The use case of writing a model's rule as ONNX, to run it in whatever runs models."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from customer_segmentation import __version__
from customer_segmentation.domain.errors import ExtraMissingError
from customer_segmentation.domain.features import FEATURE_BY_NAME, FEATURE_NAMES
from customer_segmentation.model.assign import ROOTS, SERIES
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

# Both are years old: every runtime that is still kept reads them.
_OPSET = 17
_FORMAT = 8


def write_onnx(units: UnitsOfWork) -> bytes:
    """Return the rule of the active model as an ONNX model.

    Its input `customers` are float64 (n, d), attributes in the feature table's order and in users'
    units; its output `segments` are int64 (n,), segment numbers, -1 for whoever lacks an attribute
    that the model uses, as it is NaN or infinite. Near a border it decides as the service
    does, so that both give the same segments. Hysteresis is not in it: it needs the previous
    segment.

    Raises:
        ExtraMissingError: the extra `[onnx]` is not installed.
        NotReadyError: there is no model yet.
    """
    if find_spec("onnx") is None:
        raise ExtraMissingError("onnx", "the ONNX export")
    from onnx import TensorProto, checker, helper

    serving = units.serving
    graph = _Graph()
    graph.write_rule(serving)
    customers = helper.make_tensor_value_info(
        "customers", TensorProto.DOUBLE, ["n", len(FEATURE_NAMES)]
    )
    segments = helper.make_tensor_value_info("segments", TensorProto.INT64, ["n"])
    made = helper.make_model(
        helper.make_graph(graph.nodes, "segmentation", [customers], [segments], graph.constants),
        producer_name="customer-segmentation",
        producer_version=__version__,
        model_version=serving.version,
        doc_string="Gives each customer the number of its segment.",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_FORMAT,
    )
    words = {"attributes": ",".join(FEATURE_NAMES)}
    words |= {f"segment {number}": s.name for number, s in serving.segments.items()}
    helper.set_model_props(made, words)
    checker.check_model(made, full_check=True)
    return made.SerializeToString()


class _Graph:
    """Nodes and constants of a rule, written one after another."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def write_rule(self, serving: ServingModel) -> None:
        """Write the way from `customers` to `segments`: prepared, measured, the nearest."""
        found = serving.assigner.discriminants
        distances = None
        for name, center in serving.assigner.centers.items():
            slopes = self.constant(f"slopes_{name}", [[f.slopes[name] for f in found]])
            term = self.add("Mul", [self._transformed(name, center), slopes], f"term_{name}")
            if distances is None:
                distances = term
            else:
                distances = self.add("Add", [distances, term], f"sum_{name}")
        assert distances is not None  # noqa: S101 - a model uses at least one attribute
        bases = self.constant("bases", [[f.base for f in found]])
        # Squared distances, less what is the same for every segment.
        distances = self.add("Add", [distances, bases], "distances")
        nearest = self.add("ArgMin", [distances], "nearest", axis=1, keepdims=0)
        numbers = np.array([f.number for f in found], dtype=np.int64)
        number = self.add("Gather", [self.constant("numbers", numbers), nearest], "number")
        first = self.add("Gather", [distances, self.constant("first", np.int64(0))], "one", axis=1)
        # Whoever is known, and so at a finite distance from every segment.
        nothing = self.add("Sub", [first, first], "nothing")
        known = self.add("Equal", [nothing, self.constant("zero", 0.0)], "known")
        self.add("Where", [known, number, self.constant("nowhere", np.int64(-1))], "segments")

    def _transformed(self, name: str, center: float) -> str:
        """Write an attribute, (n, 1), with the skew taken out; see `model/prepare.py`."""
        feature = FEATURE_BY_NAME[name]
        place = np.array([FEATURE_NAMES.index(name)], dtype=np.int64)
        value = self.add(
            "Gather", ["customers", self.constant(f"place_{name}", place)], name, axis=1
        )
        transformed = value
        if feature.is_logarithmic:
            size = self.add("Abs", [value], f"size_{name}")
            sign = self.add("Sign", [value], f"sign_{name}")
            transformed = self.add("Mul", [sign, self._logarithm(size, name)], f"skewless_{name}")
        if feature.unscored is None:
            return transformed
        unscored = self.constant(f"unscored_{name}", float(feature.unscored))
        is_unscored = self.add("Equal", [value, unscored], f"is_unscored_{name}")
        typical = self.constant(f"center_{name}", center)
        return self.add("Where", [is_unscored, typical, transformed], f"filled_{name}")

    def _logarithm(self, value: str, name: str) -> str:
        """Write ln(1 + x), (n, 1), as `settled_logarithm` has it."""
        one = self.constant(f"one_{name}", 1.0)
        root = self.add("Add", [one, value], f"more_{name}")
        for step in range(ROOTS):
            root = self.add("Sqrt", [root], f"root_{step}_{name}")
        over = self.add("Sub", [root, one], f"over_{name}")
        under = self.add("Add", [root, one], f"under_{name}")
        ratio = self.add("Div", [over, under], f"ratio_{name}")
        square = self.add("Mul", [ratio, ratio], f"square_{name}")
        series = self.constant(f"series_{name}", SERIES[0])
        for step, coefficient in enumerate(SERIES[1:]):
            times = self.add("Mul", [series, square], f"times_{step}_{name}")
            more = self.constant(f"coefficient_{step}_{name}", coefficient)
            series = self.add("Add", [times, more], f"series_{step}_{name}")
        return self.add("Mul", [series, ratio], f"log_{name}")

    def add(self, operator: str, inputs: list[str], output: str, **attributes: int) -> str:
        """Write a node; return the name of what it computes."""
        from onnx import helper

        node = helper.make_node(operator, inputs, [output], output)
        node.attribute.extend(helper.make_attribute(key, a) for key, a in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, name: str, value: Any) -> str:  # noqa: ANN401
        """Write a constant; return its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name
