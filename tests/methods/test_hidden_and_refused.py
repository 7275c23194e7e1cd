"""A model that runs on a sample, and not where parts of it are hidden: it is said, with what helps."""

import numpy as np
import pytest
from building import parse

from explainer import ModelError, explain


def test_an_input_that_is_no_number_to_be_hidden_can_be_held():
    """The first row of a table of two is asked for by 3: 0, a hidden one, would be −3 rows."""
    model = parse(
        '''<ir_version: 8, opset_import: ["": 17]> g (float[N,3] x, float[N,1] place) => (float[N,1] y) {
        p = Sub (place, three) i = Cast <to=7> (p) o = Reshape (i, one) v = Gather (table, o)
        u = Unsqueeze (v, last) s = ReduceSum <keepdims=1> (x, last) y = Mul (s, u) }''',
        three=np.float32(3), one=np.array([-1]), table=np.array([2.0, 5.0]), last=np.array([1]),
    )  # fmt: skip
    feeds = {"x": np.float32([[1, 2, 3]]), "place": np.float32([[3]])}
    with pytest.raises(ModelError, match=r"(?s)runs on the input as it is.*--option hold=place"):
        explain(model, feeds, method="occlusion", target=0)
    found = explain(model, feeds, method="occlusion", target=0, hold=["place"])
    np.testing.assert_allclose(found.relevance["x"], [[2, 4, 6]], rtol=1e-6)
    found = explain(model, feeds, method="occlusion", target=0, baseline={"place": 4.0})
    np.testing.assert_allclose(found.relevance["place"], [[12.0 - 30.0]], rtol=1e-6)
