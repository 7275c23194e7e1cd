"""What other frameworks' converters write has the gradient of its file by PyTorch, node by node."""

import pytest
import torch  # noqa: F401  # so that it is known to need it
from file_in_torch import gradient_off
from test_forms import EXPLAINED

from explainer import Explainer


@pytest.mark.parametrize("form", EXPLAINED, ids=str)
def test_its_gradient_is_autograds_of_the_file(form, zoo):
    model, feeds = form.model, form.feeds
    output = model.graph.output[-1].name
    target = (output, [int(one) for one in Explainer(model).explain(feeds, f"{output}[top]").target])
    answer = {"name": form.name, "exporter": form.framework}
    answer = zoo.setdefault(("forms", form.name, form.framework), answer)
    answer["own"] = gradient_off(model, feeds, target)
    assert answer["own"] < 1e-9
