"""Recurrent nets, CTC nets and torch's own transformer, as they are written every day."""

from __future__ import annotations

from typing import Any

from members import Member, words


def last_of(kind: str, **how: Any) -> Any:
    """A recurrent net and a dense layer on its last step."""
    from only import Only
    from torch import nn

    made = getattr(nn, kind)(8, 12, batch_first=True, **how)
    wide = 24 if how.get("bidirectional") else 12
    parts = nn.ModuleDict({"recurrent": made, "classes": nn.Linear(wide, 4)})
    return Only(parts, lambda parts, x: parts["classes"](parts["recurrent"](x)[0][:, -1]))


def of_words() -> Any:
    """Words, an LSTM in both directions, its states' mean."""
    from only import Only
    from torch import nn

    parts = nn.ModuleDict(
        {
            "words": nn.Embedding(30, 8),
            "recurrent": nn.LSTM(8, 12, bidirectional=True, batch_first=True),
            "classes": nn.Linear(24, 4),
        }
    )
    return Only(parts, lambda p, x: p["classes"](p["recurrent"](p["words"](x))[0].mean(1)))


def attended() -> Any:
    """A recurrent net whose states are weighted by an attention over time."""
    from only import Only
    from torch import nn

    parts = nn.ModuleDict(
        {
            "recurrent": nn.GRU(8, 12, batch_first=True),
            "score": nn.Linear(12, 1),
            "classes": nn.Linear(12, 4),
        }
    )

    def run(p: Any, x: Any) -> Any:
        states = p["recurrent"](x)[0]
        return p["classes"]((states * p["score"](states.tanh()).softmax(1)).sum(1))

    return Only(parts, run)


def crnn() -> Any:
    """A line of text: convolutions, a recurrent net over columns, scores of every column for CTC."""
    from only import Only
    from torch import nn

    features = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1))),
    )
    parts = nn.ModuleDict(
        {
            "features": features,
            "recurrent": nn.LSTM(16 * 4, 12, bidirectional=True, batch_first=True),
            "classes": nn.Linear(24, 9),
        }
    )

    def run(p: Any, x: Any) -> Any:
        columns = p["features"](x).flatten(1, 2).transpose(1, 2)
        return p["classes"](p["recurrent"](columns)[0])

    return Only(parts, run)


def quartz() -> Any:
    """Sound: depthwise and pointwise convolutions over time with residuals, scores of every frame."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                *(nn.Conv1d(16, 16, 5, padding=2, groups=16), nn.Conv1d(16, 16, 1), nn.BatchNorm1d(16)),
                *(nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2, groups=16), nn.Conv1d(16, 16, 1)),
                nn.BatchNorm1d(16),
            )

        def forward(self, x: Any) -> Any:
            return (x + self.inner(x)).relu()

    return nn.Sequential(nn.Conv1d(8, 16, 3, 2, 1), nn.ReLU(), Block(), Block(), nn.Conv1d(16, 7, 1))


def tcn() -> Any:
    """Causal dilated convolutions with gates, as in WaveNet."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
            self.filter, self.gate = (nn.Conv1d(8, 8, 3, dilation=dilation) for _ in range(2))
            self.out = nn.Conv1d(8, 8, 1)

        def forward(self, x: Any) -> Any:
            padded = self.pad(x)
            return x + self.out(self.filter(padded).tanh() * self.gate(padded).sigmoid())

    return nn.Sequential(Block(1), Block(2), Block(4), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4))


def encoder(**how: Any) -> Any:
    from only import Only
    from torch import nn

    layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, **how)
    parts = nn.ModuleDict(
        {"encoder": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), "classes": nn.Linear(32, 4)}
    )
    return Only(parts, lambda p, x: p["classes"](p["encoder"](x)[:, 0]))


SERIES = {"input": (1, 6, 8)}
MEMBERS = [
    Member("lstm", lambda: last_of("LSTM"), SERIES, quick=True),
    Member(
        "lstm, two layers, both directions", lambda: last_of("LSTM", num_layers=2, bidirectional=True), SERIES
    ),
    Member("gru", lambda: last_of("GRU"), SERIES, quick=True),
    Member("gru, both directions", lambda: last_of("GRU", bidirectional=True), SERIES),
    Member("rnn, tanh", lambda: last_of("RNN"), SERIES),
    Member("rnn, relu", lambda: last_of("RNN", nonlinearity="relu"), SERIES),
    Member("lstm of words", of_words, words(6)),
    Member("gru with attention", attended, SERIES),
    Member("crnn, ctc", crnn, {"input": (1, 1, 16, 24)}),
    Member("quartznet, ctc", quartz, {"input": (1, 8, 40)}),
    Member("wavenet", tcn, {"input": (1, 8, 24)}),
    Member("nn.TransformerEncoder", lambda: encoder(), {"input": (1, 5, 32)}),
    Member(
        "nn.TransformerEncoder, pre-norm",
        lambda: encoder(norm_first=True, activation="gelu"),
        {"input": (1, 5, 32)},
    ),
]
