"""The use case of writing a model's rule as ONNX, to run it in whatever runs models."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from customer_segmentation import __version__
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Missing
from customer_segmentation.domain.errors import ExtraMissingError
from customer_segmentation.model.assign import ROOTS, SERIES
from customer_segmentation.model.folding import Term
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

# Both are years old: every runtime that is still kept reads them.
_OPSET = 17
_FORMAT = 8
_DOUBLE = 11
"""ONNX's number for doubles."""


def write_onnx(units: UnitsOfWork) -> bytes:
    """Return the rule of the active model as an ONNX model; see `onnx_of`.

    Raises:
        ExtraMissingError: the extra `[onnx]` is not installed.
        NotReadyError: there is no model yet.
    """
    return onnx_of(units.serving)


def onnx_of(serving: ServingModel) -> bytes:
    """Return the rule of a model as an ONNX model.

    Its input `customers` are float64 (n, d), the model's attributes in its order, as they are
    inside: in users' units, and a category by its code or else by its place among the categories.
    Its output `segments` are int64 (n,), segment numbers. What is NaN or infinite is missing: it
    counts in no distance, by the rule of `model/missing.py`, and where the schema refuses it the
    segment is -1. Near a border it decides as the service does, so that both give the same
    segments. Hysteresis is not in it: it needs the previous segment.

    Raises:
        ExtraMissingError: the extra `[onnx]` is not installed.
    """
    if find_spec("onnx") is None:
        raise ExtraMissingError("onnx", "the ONNX export")
    from onnx import TensorProto, checker, helper

    model = serving.model
    graph = _Graph()
    graph.write_rule(serving)
    customers = helper.make_tensor_value_info(
        "customers", TensorProto.DOUBLE, ["n", len(model.names)]
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
    words = {"attributes": ",".join(model.names)}
    words |= {
        f"categories {attribute.name}": "\n".join(attribute.labels.values())
        for attribute in model.attributes
        if attribute.categories
    }
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
        terms, bases = serving.assigner.terms, serving.assigner.bases
        added = [self._term(term) for term in terms]
        distances = added[0]
        for term, own in zip(terms[1:], added[1:], strict=True):
            distances = self.add("Add", [distances, own], f"sum_{term.attribute.name}")
        base = np.array([[*bases.values()]])
        # Squared distances, less what is the same for every segment.
        distances = self.add("Add", [distances, self.constant("bases", base)], "distances")
        if all(map(_may_miss, terms)):
            distances = self._typical_for_unknown(terms, base, distances)
        nearest = self.add("ArgMin", [distances], "nearest", axis=1, keepdims=0)
        numbers = self.constant("numbers", np.array([*bases], dtype=np.int64))
        number = self.add("Gather", [numbers, nearest], "number")
        first = self.add("Gather", [distances, self.constant("first", np.int64(0))], "one", axis=1)
        # Whoever is known, and so at a finite distance from every segment.
        nothing = self.add("Sub", [first, first], "nothing")
        known = self.add("Equal", [nothing, self.constant("zero", 0.0)], "known")
        self.add("Where", [known, number, self.constant("nowhere", np.int64(-1))], "segments")

    def _term(self, term: Term) -> str:
        """Write what an attribute adds to each distance, (n, k); see `Term`."""
        name = term.attribute.name
        place = self.constant(f"place_{name}", np.array([term.position], dtype=np.int64))
        value = self.add("Gather", ["customers", place], f"value_{name}", axis=1)
        if term.choices:
            added, is_known = self._chosen(term, value)
        else:
            slopes = self.constant(f"slopes_{name}", [term.slopes])
            transformed = self._transformed(term, value)
            added = self.add("Mul", [transformed, slopes], f"scaled_{name}")
            if not _may_miss(term):
                return added
            itself = self.add("Sub", [value, value], f"itself_{name}")
            zero = self.constant(f"zero_{name}", 0.0)
            is_known = self.add("Equal", [itself, zero], f"is_known_{name}")
        lacking = term.lacking if _may_miss(term) else [np.nan] * len(term.lacking)
        without = self.constant(f"lacking_{name}", [lacking])
        return self.add("Where", [is_known, added, without], f"term_{name}")

    def _chosen(self, term: Term, value: str) -> tuple[str, str]:
        """Write what a category adds, (n, k), and whether it is one that the model knows."""
        name = term.attribute.name
        choices = self.constant(f"choices_{name}", np.array([[*term.choices]], dtype=np.float64))
        is_own = self.add("Equal", [value, choices], f"is_own_{name}")
        indicators = self.add("Cast", [is_own], f"indicators_{name}", to=_DOUBLE)
        rows = self.constant(f"rows_{name}", [*term.choices.values()])
        added = self.add("MatMul", [indicators, rows], f"chosen_{name}")
        most = self.add("ReduceMax", [indicators], f"most_{name}", axes=[1], keepdims=1)
        one = self.constant(f"one_{name}", 1.0)
        return added, self.add("Equal", [most, one], f"is_known_{name}")

    def _typical_for_unknown(self, terms: Sequence[Term], base: FloatArray, distances: str) -> str:
        """Write the distances, (n, k), where who is wholly unknown is typical."""
        is_known = f"is_known_{terms[0].attribute.name}"
        for term in terms[1:]:
            name = term.attribute.name
            is_known = self.add("Or", [is_known, f"is_known_{name}"], f"any_known_{name}")
        typical = sum((np.array([term.typical]) for term in terms), np.zeros((1, 1))) + base
        constant = self.constant("typical", typical)
        return self.add("Where", [is_known, distances, constant], "all_distances")

    def _transformed(self, term: Term, value: str) -> str:
        """Write an attribute, (n, 1), with the skew taken out; see `model/prepare.py`."""
        name, attribute = term.attribute.name, term.attribute
        transformed = value
        if attribute.is_logarithmic:
            size = self.add("Abs", [value], f"size_{name}")
            if attribute.divisor != 1.0:
                divisor = self.constant(f"divisor_{name}", attribute.divisor)
                size = self.add("Div", [size, divisor], f"divided_{name}")
            sign = self.add("Sign", [value], f"sign_{name}")
            transformed = self.add("Mul", [sign, self._logarithm(size, name)], f"skewless_{name}")
        if attribute.unscored is None:
            return transformed
        unscored = self.constant(f"unscored_{name}", float(attribute.unscored))
        is_unscored = self.add("Equal", [value, unscored], f"is_unscored_{name}")
        typical = self.constant(f"center_{name}", term.center)
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

    def add(
        self, operator: str, inputs: list[str], output: str, **attributes: int | list[int]
    ) -> str:
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


def _may_miss(term: Term) -> bool:
    return term.attribute.missing is Missing.ALLOWED
