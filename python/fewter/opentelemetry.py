"""Traces as spans of OpenTelemetry; needs opentelemetry-api (pip install "fewter[opentelemetry]")."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from fewter.trace import Span, TraceListener


def trace_listener(tracer: Tracer | None = None) -> TraceListener:
    """What `Session(trace_listener=…)` takes to hand its traces to a tracer, by default the global provider's for
    "fewter". The span that is current where a search is called is its parent. Any number of sessions may share one."""
    chosen = tracer if tracer is not None else trace.get_tracer("fewter")

    def listen(spans: list[Span]) -> None:
        begun: list[trace.Span] = []
        for span in spans:
            parent = None if span.parent is None else trace.set_span_in_context(begun[span.parent])
            kind = SpanKind.CLIENT if span.name == "fewter.request" else SpanKind.INTERNAL
            begun.append(
                chosen.start_span(span.name, parent, kind=kind, attributes=dict(span.attributes), start_time=span.begin)
            )
            if span.error is not None:
                begun[-1].set_status(Status(StatusCode.ERROR, span.error))
        for span, one in zip(reversed(spans), reversed(begun), strict=True):
            one.end(span.end)

    return listen
