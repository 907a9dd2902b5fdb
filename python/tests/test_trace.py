"""Traces, as they are and as OpenTelemetry's spans."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import fewter
import fewter.opentelemetry


def named(spans, name):
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_listener_is_told_of_everything_that_is_called(dataset, queries):
    traces = []
    table = fewter.open(dataset.uri, session=fewter.Session("memory://", trace_listener=traces.append))
    table.prewarm()
    table.search(queries[0], refine_factor=2, filter="id > 5", columns=["id"])
    table.take([0])
    assert [trace[0].name for trace in traces] == ["fewter.open", "fewter.prewarm", "fewter.search", "fewter.take"]
    for trace in traces:
        assert trace[0].parent is None
        for place, span in enumerate(trace):
            assert span.begin <= span.end
            assert span.error is None
            assert place == 0 or 0 <= span.parent < place
    search = traces[2]
    parts = {"fewter.filter", "fewter.index.search", "fewter.refine", "fewter.exact_search", "fewter.take"}
    assert {span.name for span in search if span.parent == 0} >= parts
    assert search[0].attributes["fewter.k"] == 10
    with pytest.raises(KeyError):
        table.search(queries[0], index="nope")
    assert "nope" in traces[4][0].error


def test_a_listener_that_fails_is_told_and_harms_nothing(dataset, queries, monkeypatch):
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    table = fewter.open(dataset.uri, session=fewter.Session("memory://", trace_listener=lambda spans: 1 / 0))
    assert table.search(queries[0], 3).num_rows == 3
    assert [one.exc_type for one in told] == [ZeroDivisionError] * 2


def test_spans_of_opentelemetry(dataset, queries, tmp_path):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    cache = f"memory://,disk://{tmp_path}"
    session = fewter.Session(cache, trace_listener=fewter.opentelemetry.trace_listener(tracer))
    table = fewter.open(dataset.uri, session=session)
    exporter.clear()

    async def handle():
        with tracer.start_as_current_span("handler"):
            await table.search_async(queries[0], columns=["id"])

    asyncio.run(handle())
    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans}
    handler, search = named(spans, "handler"), named(spans, "fewter.search")
    assert search.parent.span_id == handler.context.span_id
    assert search.attributes["fewter.column"] == "vector"

    def path(span):
        return [span.name, *(path(by_id[span.parent.span_id]) if span.parent else [])]

    below = ["fewter.search", "handler"]
    paths = [path(span) for span in spans]
    assert ["fewter.request", "fewter.index.open", *below] in paths
    assert ["fewter.cache.lookup", "fewter.index.search", *below] in paths
    assert ["fewter.request", "fewter.take", *below] in paths
    for span in spans:
        assert span.context.trace_id == handler.context.trace_id
        if span is not handler:
            parent = by_id[span.parent.span_id]
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time
    exporter.clear()
    with pytest.raises(ValueError):
        table.search(queries[0], 5, ef=1)
    assert named(exporter.get_finished_spans(), "fewter.search").status.status_code is StatusCode.ERROR
