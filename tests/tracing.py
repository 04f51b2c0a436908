"""Spans of this process, for tests: OpenTelemetry takes one provider a process, and its exporters come and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider


class _ToWhoeverListens(SpanProcessor):
    """Hands ended spans to the test that is running."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] | None = None

    def on_end(self, span: ReadableSpan) -> None:
        if self.spans is not None:
            self.spans.append(span)


@cache
def _processor() -> _ToWhoeverListens:
    processor = _ToWhoeverListens()
    provider = TracerProvider()
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    return processor


@contextmanager
def recorded_spans() -> Iterator[list[ReadableSpan]]:
    """Yield the list of all spans that end inside the block, in the order of their ends."""
    processor = _processor()
    processor.spans = []
    try:
        yield processor.spans
    finally:
        processor.spans = None
