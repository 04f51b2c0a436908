"""Sends traces to any OTLP backend, where the settings ask for it; the standard OTEL_* variables say where and how."""

from opentelemetry import trace

from shopbot.settings import Settings


def start_tracing(settings: Settings) -> None:
    """Set the SDK up once a process; without `traces` nothing of it is even imported.

    Endpoint, headers, service name, sampling and batching are read by OpenTelemetry itself, from OTEL_*. What is
    still waiting is sent when the process ends.
    """
    if not settings.traces:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # services are opened again in this process, or the host has set one up
    resource = Resource.create({SERVICE_NAME: "shopbot"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
